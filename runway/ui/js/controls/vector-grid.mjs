// A square grid of random points, the handle between them is the vector. They can show what the model makes of them.
import { inGrid, sample } from "../media/vectors.mjs";
import { arrowStep, bound, dragging, percent, placeIn, spoken } from "../places.mjs";
import { ofKind } from "../types.mjs";
import { Button, Choice, html, useEffect, useMemo, useRef, useState } from "../parts.mjs";

const SIDES = [2, 3, 4, 5];
const STEP = 0.025; // of the side, for an arrow key

export function VectorGrid({ type, onChange, context: { session } }) {
	const [turn, setTurn] = useState(0); // another one gives new anchors
	const [side, setSide] = useState(3);
	const [at, setAt] = useState([0.5, 0.5]);
	const [pictures, setPictures] = useState({});
	const [isBusy, setBusy] = useState(false);
	const board = useRef(null);
	const held = useRef(null);
	const abort = useRef(null);
	const anchors = useMemo(() => Array.from({ length: side * side }, () => sample(type)), [turn, side, type]);
	const picture = session && ofKind(session.command.outputs, "image")[0]?.name;

	useEffect(() => {
		setPictures({});
		return () => abort.current?.abort();
	}, [anchors]);

	const go = (x, y) => {
		const next = [bound(x), bound(y)];
		setAt(next);
		onChange(inGrid(anchors, side, ...next, type.samplingMean));
	};
	const point = (event) => go(...placeIn(board.current, event));
	const drag = dragging(held, { onStart: (event) => (point(event), true), onMove: point });
	const key = (event) => {
		const step = arrowStep(event, STEP, STEP * 4);
		if (step) go(at[0] + step[0], at[1] + step[1]);
	};
	const preview = async () => {
		abort.current = new AbortController();
		setBusy(true);
		try {
			for (const [index, values] of anchors.entries()) {
				const inputs = session.inputs({ [type.name]: values });
				const { outputs } = await session.post(inputs, abort.current.signal);
				setPictures((old) => ({ ...old, [index]: outputs[picture] }));
			}
		} catch (error) {
			session.fail(error);
		}
		setBusy(false);
	};
	const dot = (_, index) => {
		const style = percent([(index % side) / (side - 1), Math.floor(index / side) / (side - 1)]);
		return pictures[index]
			? html`<img class="anchor-picture" style=${style} src=${pictures[index]} alt="" />`
			: html`<span class="anchor" style=${style}></span>`;
	};
	return html`<div class="vector-grid" style=${{ "--side": side }}>
		<div class="grid-board" ...${drag}>
			<div class="grid-plane" ref=${board}>
				${anchors.map(dot)}
				<button type="button" class="grid-handle" style=${percent(at)}
					aria-label="Place on the grid: ${spoken(at)}"
					onKeyDown=${key}></button>
			</div>
		</div>
		<div class="row">
			<${Button} icon="dice" onClick=${() => setTurn(turn + 1)}>New grid<//>
			<${Choice} label="Points" value=${side} options=${SIDES.map((one) => [one, `${one} × ${one}`])} onTake=${setSide} />
			${picture && html`<${Button} icon="image" disabled=${isBusy} onClick=${preview}>${isBusy ? "Drawing…" : "Show pictures"}<//>`}
		</div>
	</div>`;
}

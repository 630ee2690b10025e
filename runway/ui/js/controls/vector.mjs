// A point of a latent space: random, pasted, from favourites, or walked to on a grid.
import { ROOT } from "../api.mjs";
import { BARRED, copyText } from "../clipboard.mjs";
import { numbersIn } from "../media/vectors.mjs";
import { sampleVector } from "../types.mjs";
import { VectorGrid } from "./vector-grid.mjs";
import { Button, IconButton, html, stored, useEffect, useRef, useState } from "../parts.mjs";

const MOST = 24; // favourites
const kept = (type) => stored("localStorage", `runway-favourites ${ROOT.pathname} ${type.name} ${type.length}`);

const favouritesOf = (type) => JSON.parse(kept(type).read() ?? "[]");

export function VectorControl({ id, type, value, onChange, errorId, context }) {
	const [isPasting, setPasting] = useState(false);
	const [isGridOpen, setGridOpen] = useState(Boolean(context.isLarge));
	const [saved, setSaved] = useState(() => favouritesOf(type));
	const [note, setNote] = useState("");
	const numbers = Array.isArray(value) ? value : [];
	const copy = async () => setNote((await copyText(JSON.stringify(numbers))) ? "Copied" : BARRED);
	// Other controls and tabs may have kept some meanwhile.
	const change = (make) => {
		const list = make(favouritesOf(type));
		kept(type).keep(JSON.stringify(list));
		setSaved(list);
	};
	const keepIt = () => change((all) => [...all, { at: Date.now() + Math.random(), values: numbers }].slice(-MOST));

	return html`<div class="vector-control">
		<${Strip} values=${numbers} label="${type.name}: ${numbers.length} numbers" />
		<div class="row">
			<${Button} icon="dice" id=${id} aria-describedby=${errorId} onClick=${() => onChange(sampleVector(type))}>Random<//>
			<${Button} aria-expanded=${isPasting} onClick=${() => setPasting(!isPasting)}>Paste<//>
			<${Button} disabled=${!numbers.length} onClick=${copy}>Copy<//>
			<${Button} icon="star" disabled=${!numbers.length} onClick=${keepIt}>Keep<//>
			<${Button} aria-expanded=${isGridOpen} onClick=${() => setGridOpen(!isGridOpen)}>Grid<//>
			<span class="muted" role="status">${note}</span>
		</div>
		${isPasting && html`<${PasteBox} id=${id} type=${type} onTake=${(pasted) => (onChange(pasted), setPasting(false))} />`}
		${saved.length > 0 && html`<ul class="favourites" aria-label="Favourites">
			${saved.map((favourite, index) => html`<li key=${favourite.at}>
				<${Button} class="chip" title="Use this favourite" onClick=${() => onChange(favourite.values)}>
					<${Strip} values=${favourite.values} /><span>${index + 1}</span>
				<//>
				<${IconButton} icon="close" class="tiny" label="Forget favourite ${index + 1}"
					onClick=${() => change((all) => all.filter((one) => one.at !== favourite.at))} />
			</li>`)}
		</ul>`}
		${isGridOpen && html`<${VectorGrid} type=${type} onChange=${onChange} context=${context} />`}
	</div>`;
}

function PasteBox({ id, type, onTake }) {
	const [text, setText] = useState("");
	const numbers = numbersIn(text);
	const fits = !type.length || numbers.length === type.length;
	return html`<div class="paste-box">
		<label for="${id}-paste">Numbers, as JSON or with anything between them</label>
		<textarea id="${id}-paste" class="code" rows="3" value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
		<div class="row">
			<${Button} disabled=${!fits || !numbers.length} onClick=${() => onTake(numbers)}>Use these<//>
			<span class="muted">${numbers.length} of ${type.length} numbers</span>
		</div>
	</div>`;
}

// The numbers as bars of colour, so that two vectors can be told apart at a glance.
function Strip({ values, label }) {
	const canvas = useRef(null);
	useEffect(() => {
		const pen = canvas.current.getContext("2d");
		const { width, height } = canvas.current;
		const most = Math.max(1e-9, ...values.map(Math.abs));
		pen.clearRect(0, 0, width, height);
		const bar = width / Math.max(1, values.length);
		values.forEach((value, index) => {
			const strength = Math.abs(value) / most;
			pen.fillStyle = value >= 0 ? `rgb(99 102 241 / ${strength})` : `rgb(234 120 60 / ${strength})`;
			pen.fillRect(index * bar, 0, Math.max(1, bar), height);
		});
	}, [values]);
	return html`<canvas class="strip" ref=${canvas} width="512" height="24" role=${label && "img"} aria-label=${label} aria-hidden=${!label}></canvas>`;
}

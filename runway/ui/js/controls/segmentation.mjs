// A map of labels: painted over a picture, filled, imported. Sent as a PNG in the labels' colours.
import { making } from "../making.mjs";
import { AS_IT_IS } from "../media/fit.mjs";
import { LabelMap, isGrey } from "../media/label-map.mjs";
import { loadImage, prepare } from "../media/pictures.mjs";
import { arrowStep, bound, dragging, percent, placeIn } from "../places.mjs";
import { title } from "../types.mjs";
import { Button, FileButton, IconButton, NumberField, Slider, Swatch, html, useEffect, useRef, useState } from "../parts.mjs";

const SIZE = 512; // pixels a side where the type declares none
const TOOLS = ["brush", "fill", "eraser"];

const firstSide = (exact, most = SIZE) => exact ?? Math.min(SIZE, most);

export function SegmentationControl({ id, type, value, onChange, context }) {
	const canvas = useRef(null);
	const map = useRef(null);
	const sent = useRef(undefined); // the value this control made itself
	const last = useRef(null); // where the pointer was while it paints
	const [tool, setTool] = useState("brush");
	const [size, setSize] = useState(32);
	const labels = type.labels;
	const background = labels.indexOf(type.defaultLabel);
	const [label, setLabel] = useState(() => (labels.length > 1 && background === 0 ? 1 : 0));
	const [opacity, setOpacity] = useState(100);
	const [backdrop, setBackdrop] = useState(null);
	const [cursor, setCursor] = useState(null);
	const [, redraw] = useState(0);
	const colors = labels.map((name) => type.labelToColor[name]);
	const behind = backdrop ?? context.picture;

	const draw = () => {
		const { width, height } = map.current;
		const board = canvas.current;
		if (board.width !== width || board.height !== height) Object.assign(board, { width, height });
		const pen = board.getContext("2d");
		const picture = pen.createImageData(width, height);
		map.current.paint(picture.data);
		pen.putImageData(picture, 0, 0);
	};
	const send = () => {
		redraw((count) => count + 1); // the buttons of undo and redo
		sent.current = canvas.current.toDataURL(); // at once, or a run would send the map before this stroke
		onChange(sent.current);
	};
	const clear = () => {
		map.current.pixels.fill(background);
		draw();
		send();
	};
	const begin = (width, height) => {
		map.current = new LabelMap(width, height, colors, background);
		draw();
	};
	const resize = ({ width, height }) => {
		begin(width, height);
		send();
	};
	const importPicture = async (uri, { isMarked = true } = {}) => {
		const image = await loadImage(uri);
		const [width, height] = [image.naturalWidth, image.naturalHeight];
		const reader = new OffscreenCanvas(width, height).getContext("2d");
		reader.drawImage(image, 0, 0);
		const { data } = reader.getImageData(0, 0, width, height);
		if (isMarked && map.current.width === width && map.current.height === height) map.current.mark();
		else map.current = new LabelMap(width, height, colors, background);
		const ids = new Map(labels.map((name, index) => [type.labelToId[name], index]));
		const isIds = isGrey(data) && !colors.every(([r, g, b]) => r === g && g === b);
		if (isIds) map.current.readIds(data, ids, background);
		else map.current.read(data);
		draw();
		redraw((count) => count + 1);
	};

	const isOurs = value === sent.current; // asked now: another may be sent before the effect runs
	useEffect(() => {
		if (!map.current) begin(firstSide(type.width, type.maxWidth), firstSide(type.height, type.maxHeight));
		if (value === undefined) clear();
		else if (!isOurs) {
			sent.current = value;
			importPicture(value, { isMarked: false }).catch(() => {});
		}
	}, [value]);

	const place = (event) => {
		const [x, y] = placeIn(canvas.current, event, (share) => share); // strokes may leave the map
		return [x * map.current.width, y * map.current.height];
	};
	const apply = (from, to) => {
		const used = tool === "eraser" ? background : label;
		if (tool === "fill") map.current.fill(to[0], to[1], used);
		else map.current.stroke(...from, ...to, size, used);
		draw();
	};
	const dab = (at) => {
		map.current.mark();
		apply(at, at);
		return at;
	};
	const drag = dragging(last, {
		onStart: (event) => dab(place(event)),
		onMove(event) {
			if (tool === "fill") return;
			const at = place(event);
			apply(last.current, at);
			last.current = at;
		},
		onEnd: send,
	});
	const step = (change) => {
		if (!change()) return;
		draw();
		send();
	};
	const key = (event) => {
		const { width, height, undo, redo } = map.current;
		const [x, y] = cursor ?? [width / 2, height / 2];
		const by = arrowStep(event, Math.max(1, Math.round(width / 64)), 1);
		const pressed = event.ctrlKey || event.metaKey ? `Ctrl+${event.key.toLowerCase()}` : event.key;
		if (by) setCursor([bound(x + by[0], 0, width - 1), bound(y + by[1], 0, height - 1)]);
		else if (pressed === "Ctrl+z") step(event.shiftKey ? redo : undo);
		else if (pressed === "Ctrl+y") step(redo);
		else if (pressed === "[") setSize(Math.max(1, size - 4));
		else if (pressed === "]") setSize(Math.min(256, size + 4));
		else if (pressed === " " || pressed === "Enter") {
			dab([x, y]);
			send();
		} else return;
		event.preventDefault();
	};
	const now = map.current;
	const side = (name) => html`
		<${NumberField} label=${title(name)} value=${now[name]} min=${1} max=${4096} isInteger onTake=${(length) => resize({ ...now, [name]: length })} />
	`;
	return html`<div class="painter">
		<div class="row painter-tools" role="toolbar" aria-label="Painting tools">
			<div class="segmented">
				${TOOLS.map((name) => html`<${IconButton} icon=${name} label=${title(name)} aria-pressed=${tool === name} onClick=${() => setTool(name)} />`)}
			</div>
			<label class="mini inline">Size <${Slider} min="1" max="256" value=${size} onTake=${setSize} /></label>
			<label class="mini inline">Opacity <${Slider} min="10" max="100" value=${opacity} onTake=${setOpacity} /></label>
			<${IconButton} icon="undo" label="Undo" disabled=${!now?.past.length} onClick=${() => step(map.current.undo)} />
			<${IconButton} icon="redo" label="Redo" disabled=${!now?.future.length} onClick=${() => step(map.current.redo)} />
		</div>
		<div class="painter-board checkered">
			${behind && html`<img class="backdrop" src=${behind} alt="" />`}
			<canvas ref=${canvas} id=${id} tabindex="0" role="application"
				aria-label="Map of ${type.name}. Arrow keys move, space paints with ${labels[label]}, brackets change the size, Ctrl+Z undoes."
				style=${{ opacity: opacity / 100 }} ...${drag} onKeyDown=${key} onBlur=${() => setCursor(null)}></canvas>
			${cursor && now && html`<span class="paint-cursor" style=${percent([cursor[0] / now.width, cursor[1] / now.height])}></span>`}
		</div>
		<div class="palette" role="radiogroup" aria-label="Label">
			${labels.map((name, index) => html`<label class="swatch">
				<input type="radio" name="${id}-label" checked=${index === label} onChange=${() => setLabel(index)} />
				<${Swatch} color=${colors[index]} />${name}
			</label>`)}
		</div>
		<div class="row">
			<${PictureButton} text="Import a map" name="${type.name}-map" onTake=${async (uri) => (await importPicture(uri), send())} />
			<${PictureButton} text="Picture behind" name="${type.name}-backdrop" onTake=${(uri) => (setBackdrop(uri), setOpacity(60))} />
			<${Button} icon="trash" onClick=${() => (map.current.mark(), clear())}>Clear<//>
			<span class="row push">${now && [side("width"), side("height")]}</span>
		</div>
	</div>`;
}

const PictureButton = ({ text, name, onTake }) => html`
	<${FileButton} icon="image" text=${text} accept="image/*" data-upload=${name} onFiles=${([{ file }]) => making(async () => onTake(await prepare(file, AS_IT_IS)))} />
`;

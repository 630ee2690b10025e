// A picture that can be zoomed, dragged, and compared with the one it was made from.
import { bound, dragging, placeIn } from "../places.mjs";
import { isVisual, pictureIn } from "../types.mjs";
import { Button, IconButton, Slider, Swatch, html, onPictureSize, useRef, useState } from "../parts.mjs";

const WHOLE = { scale: 1, x: 0, y: 0 };
const MOST = 16;
const SMALL = 200; // pixels of width; narrower pictures are enlarged to be seen

export function PictureView({ type, value, entry, command }) {
	const [isComparing, setComparing] = useState(false);
	const [part, setPart] = useState(50);
	const [size, setSize] = useState(null);
	const before = inputPicture(entry, command);
	return html`<div class="picture-view">
		<${Zoom} label=${type.name}>
			<img class="picture ${size && size[0] < SMALL ? "is-small" : ""}" src=${value} alt="Output ${type.name}"
				draggable=${false} ...${onPictureSize(setSize)} />
			${isComparing && html`<img class="picture before" src=${before} alt="The input it was made from" draggable=${false} style=${{ clipPath: `inset(0 ${100 - part}% 0 0)` }} />
			<span class="seam" style=${{ left: `${part}%` }}></span>`}
		<//>
		<div class="row picture-foot">
			${before && html`<${Button} icon="compare" aria-pressed=${isComparing} onClick=${() => setComparing(!isComparing)}>Compare<//>`}
			${isComparing && html`<${Slider} min="0" max="100" value=${part} aria-label="How much of the input is shown" onTake=${setPart} />`}
			${type.labelToColor && html`<${Legend} type=${type} />`}
			${size && html`<span class="muted push">${size[0]} × ${size[1]}</span>`}
		</div>
	</div>`;
}

// The first input picture of a result, for comparison and as the ground of points and boxes.
export const inputPicture = (entry, command) => pictureIn(command.inputs.filter(isVisual), entry.inputs);

const Legend = ({ type }) => html`<ul class="legend">${type.labels.map((label) => html`<li><${Swatch} color=${type.labelToColor[label]} />${label}</li>`)}</ul>`;

function Zoom({ label, children }) {
	const [view, setView] = useState(WHOLE);
	const held = useRef(null);
	const zoom = (factor) => setView((old) => clamp({ ...old, scale: bound(old.scale * factor, 1, MOST) }));
	const wheel = (event) => {
		if (!event.ctrlKey && !event.metaKey) return; // plain wheels scroll the page
		event.preventDefault();
		zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
	};
	const place = (event) => placeIn(event.currentTarget, event, (share) => share);
	const drag = dragging(held, {
		onStart(event) {
			if (view.scale === 1 || event.target.closest("button")) return null;
			const [x, y] = place(event);
			return [view.x - x, view.y - y];
		},
		onMove(event) {
			const [x, y] = place(event);
			setView(clamp({ ...view, x: held.current[0] + x, y: held.current[1] + y }));
		},
	});
	const key = (event) => {
		const factor = { "+": 1.2, "=": 1.2, "-": 1 / 1.2, 0: 1 / MOST }[event.key];
		if (factor) zoom(factor);
	};
	return html`<div class="zoom checkered ${view.scale > 1 ? "is-zoomed" : ""}" tabindex="0" role="group"
		aria-label="${label}; plus and minus zoom, zero fits" onKeyDown=${key} onWheel=${wheel} ...${drag}>
		<div class="zoomed" style=${{ transform: `translate(${view.x * 100}%, ${view.y * 100}%) scale(${view.scale})` }}>${children}</div>
		<div class="zoom-tools">
			<${IconButton} icon="minus" label="Zoom out" disabled=${view.scale <= 1} onClick=${() => zoom(1 / 1.5)} />
			<${Button} class="icon-button wide" title="Fit" aria-label="Zoom to fit" onClick=${() => setView(WHOLE)}>${Math.round(view.scale * 100)}%<//>
			<${IconButton} icon="plus" label="Zoom in" disabled=${view.scale >= MOST} onClick=${() => zoom(1.5)} />
		</div>
	</div>`;
}

// The picture may not be dragged out of its frame.
function clamp(view) {
	const slack = (view.scale - 1) / 2;
	return { ...view, x: bound(view.x, -slack, slack), y: bound(view.y, -slack, slack) };
}

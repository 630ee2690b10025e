// Cut, scale and format of a picture before it is sent.
import { WHOLE } from "../media/fit.mjs";
import { bound, dragging, percent, placeIn } from "../places.mjs";
import { roundTo, title } from "../types.mjs";
import { Button, Choice, NumberField, html, useObjectUrl, useRef, useState } from "../parts.mjs";

const FITS = [["original", "As it is"], ["inside", "Shrink to fit"], ["cover", "Fill and cut"], ["stretch", "Stretch"]];
const FORMATS = [["same", "Same"], ["png", "PNG"], ["jpeg", "JPEG"]];
const SMALLEST = 0.01; // a click is no crop

export function Adjust({ blob, edit, onChange }) {
	const url = useObjectUrl(blob);
	const set = (patch) => onChange({ ...edit, ...patch });
	const take = (fit) => set({ fit, width: edit.width || 512, height: edit.height || 512 });
	const length = (name) => html`<${NumberField} label=${title(name)} value=${edit[name]} min=${1} max=${16384} isInteger onTake=${(value) => set({ [name]: value })} />`;
	return html`<div class="adjust">
		<${CropBoard} url=${url} crop=${edit.crop} onChange=${(crop) => set({ crop })} />
		<div class="row">
			<${Choice} label="Size" value=${edit.fit} options=${FITS} onTake=${take} />
			${edit.fit !== "original" && [length("width"), length("height")]}
			<${Choice} label="Send as" value=${edit.format} options=${FORMATS} onTake=${(format) => set({ format })} />
			<${Button} disabled=${!edit.crop} onClick=${() => set({ crop: null })}>Whole picture<//>
		</div>
	</div>`;
}

function CropBoard({ url, crop, onChange }) {
	const [drawn, setDrawn] = useState(null); // while the pointer is down
	const start = useRef(null);
	const shown = drawn ?? crop ?? WHOLE;
	const drag = dragging(start, {
		onStart: (event) => placeIn(event.currentTarget, event),
		onMove(event) {
			const [x, y] = placeIn(event.currentTarget, event);
			const [x0, y0] = start.current;
			setDrawn({ x: Math.min(x, x0), y: Math.min(y, y0), width: Math.abs(x - x0), height: Math.abs(y - y0) });
		},
		onEnd() {
			if (drawn && drawn.width > SMALLEST && drawn.height > SMALLEST) onChange(drawn);
			setDrawn(null);
		},
	});
	const side = (name, label) => html`
		<${NumberField} label="${label} %" value=${roundTo(shown[name] * 100, 1)} min=${0} max=${100}
			onTake=${(value) => onChange(clip({ ...shown, [name]: value / 100 }))} />
	`;
	return html`
		<div class="crop-board" ...${drag}>
			${url && html`<img src=${url} alt="Picture to cut; drag over it to mark the part to keep" />`}
			<div class="crop-mark" style=${{ ...percent([shown.x, shown.y]), width: `${shown.width * 100}%`, height: `${shown.height * 100}%` }}></div>
		</div>
		<div class="row">${side("x", "Left")}${side("y", "Top")}${side("width", "Width")}${side("height", "Height")}</div>
	`;
}

function clip(crop) {
	const x = bound(crop.x, 0, 1 - SMALLEST);
	const y = bound(crop.y, 0, 1 - SMALLEST);
	return { x, y, width: bound(crop.width, SMALLEST, 1 - x), height: bound(crop.height, SMALLEST, 1 - y) };
}

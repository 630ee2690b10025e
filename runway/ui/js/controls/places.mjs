// Point, bounding box and landmarks, set on the input picture: by pointer, by arrow keys, by numbers.
import { arrowStep, bound, dragging, percent, placeIn, spoken } from "../places.mjs";
import { firstValue, roundTo } from "../types.mjs";
import { NumberField, html, useRef, useState } from "../parts.mjs";

const STEP = 0.01; // of the picture's side, for an arrow key
const within = (share) => roundTo(bound(share), 4);

// Each type as a list of handles, and back.
export const FORMS = {
	image_point: { handles: (value) => [value], value: ([point]) => point, names: ["Point"] },
	image_bounding_box: {
		handles: ([left, top, right, bottom]) => [[left, top], [right, bottom]],
		value: ([a, b]) => sorted(a, b),
		names: ["Top left corner", "Bottom right corner"],
	},
	image_landmarks: { handles: (value) => value, value: (points) => points, names: [] },
};

function sorted([x0, y0], [x1, y1]) {
	const [left, top] = [Math.min(x0, x1), Math.min(y0, y1)];
	const least = 0.001; // the server refuses boxes without an extent
	return [left, top, Math.max(x0, x1, left + least), Math.max(y0, y1, top + least)].map((number) => roundTo(number, 4));
}

export function PlacesControl({ id, type, value, onChange, context }) {
	const form = FORMS[type.type];
	const given = value ?? firstValue(type);
	const points = form.handles(given);
	const isBox = type.type === "image_bounding_box";
	const held = useRef(null); // index of the handle under the pointer
	const [active, setActive] = useState(0);
	const name = (index) => type.labels?.[index] ?? form.names[index] ?? `Point ${index + 1}`;

	const set = (index, point) => onChange(form.value(points.map((old, at) => (at === index ? point : old))));
	const place = (event) => placeIn(event.currentTarget, event, within);
	const nearest = ([x, y]) => {
		const far = points.map(([px, py]) => (px - x) ** 2 + (py - y) ** 2);
		return far.indexOf(Math.min(...far));
	};
	const start = (event) => {
		const at = place(event);
		const handle = event.target.closest("[data-handle]");
		if (isBox && !handle) {
			onChange(sorted(at, at));
			return 1;
		}
		const index = handle ? Number(handle.dataset.handle) : nearest(at);
		setActive(index);
		if (!handle) set(index, at);
		return index;
	};
	const drag = dragging(held, { onStart: start, onMove: (event) => set(held.current, place(event)) });
	const key = (event, index) => {
		const step = arrowStep(event, STEP, STEP * 10);
		if (step) set(index, points[index].map((share, side) => within(share + step[side])));
	};
	const setNumber = (at, number) => {
		const changed = given.map((old, index) => (index === at ? number : old));
		onChange(isBox ? sorted(changed.slice(0, 2), changed.slice(2)) : changed);
	};
	const labels = type.type === "image_point" ? ["X", "Y"] : ["Left", "Top", "Right", "Bottom"];
	return html`<div class="places-control">
		<div class="board ${context.picture ? "" : "is-blank"}" ...${drag}>
			${context.picture && html`<img src=${context.picture} alt="" />`}
			<${Lines} type=${type} points=${points} />
			${points.map((point, index) => html`
				<button type="button" class="handle ${index === active ? "is-active" : ""}" data-handle=${index}
					id=${index === 0 ? id : undefined} style=${percent(point)}
					aria-label="${name(index)} at ${spoken(point)}"
					title=${name(index)} onFocus=${() => setActive(index)} onKeyDown=${(event) => key(event, index)}></button>
			`)}
		</div>
		${type.type !== "image_landmarks" && html`<div class="row">
			${labels.map((label, at) => html`<${NumberField} label=${label} value=${given[at]} step="0.01" onTake=${(number) => setNumber(at, number)} />`)}
		</div>`}
	</div>`;
}

// The box, or the connections between landmarks, in a drawing stretched over the picture.
export function Lines({ type, points, color }) {
	const line = ([a, b]) => html`<line x1=${a[0]} y1=${a[1]} x2=${b[0]} y2=${b[1]} />`;
	let shape = null;
	if (type.type === "image_bounding_box") {
		const [[left, top], [right, bottom]] = points;
		shape = html`<rect x=${left} y=${top} width=${Math.max(0, right - left)} height=${Math.max(0, bottom - top)} />`;
	} else if (type.connections) {
		const at = (label) => points[type.labels.indexOf(label)];
		shape = type.connections.map((pair) => line(pair.map(at)));
	}
	return html`<svg class="lines" style=${color && { color }} viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">${shape}</svg>`;
}

// Numbers as a line, with the value under the pointer and the figures that sum them up.
import { placeIn } from "../places.mjs";
import { CopyButton } from "./plain.mjs";
import { html, useState } from "../parts.mjs";

const [WIDTH, HEIGHT] = [600, 180];
const MAX_POINTS = 1200; // of a drawn line; longer arrays are drawn by the lowest and highest of each stretch

export function Chart({ values, name }) {
	const [at, setAt] = useState(null);
	const known = values.map((value) => value ?? 0);
	const low = known.reduce((one, other) => Math.min(one, other));
	const high = known.reduce((one, other) => Math.max(one, other));
	const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
	const span = high - low || 1;
	const x = (index) => (index / (known.length - 1)) * WIDTH;
	const y = (value) => HEIGHT - 6 - ((value - low) / span) * (HEIGHT - 12);
	const path = thinned(known).map(([index, value], order) => `${order ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
	const move = (event) => setAt(Math.round(placeIn(event.currentTarget, event)[0] * (known.length - 1)));
	return html`<figure class="chart">
		<div class="chart-plot" onPointerMove=${move} onPointerLeave=${() => setAt(null)}>
			<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img"
				aria-label="${name}: ${known.length} numbers from ${format(low)} to ${format(high)}, mean ${format(mean)}">
					${low < 0 && high > 0 && html`<line class="zero" x1="0" x2=${WIDTH} y1=${y(0)} y2=${y(0)} />`}
				<path class="area" d="${path.join("")}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z" />
				<path class="line" d=${path.join("")} />
				${at !== null && html`<line class="pointer" x1=${x(at)} x2=${x(at)} y1="0" y2=${HEIGHT} />`}
			</svg>
			<span class="axis top">${format(high)}</span>
			<span class="axis bottom">${format(low)}</span>
		</div>
		<figcaption class="row">
			<span>${at === null ? `${known.length} numbers, mean ${format(mean)}` : `[${at}] = ${values[at]}`}</span>
			<span class="push"><${CopyButton} text=${() => JSON.stringify(values)} name=${name} /></span>
		</figcaption>
	</figure>`;
}

const format = (value) => String(Number(value.toPrecision(4)));

function thinned(values) {
	if (values.length <= MAX_POINTS) return values.map((value, index) => [index, value]);
	const stretch = Math.ceil((2 * values.length) / MAX_POINTS);
	const points = [];
	for (let start = 0; start < values.length; start += stretch) {
		const part = values.slice(start, start + stretch);
		const ends = [Math.min(...part), Math.max(...part)].map((value) => start + part.indexOf(value));
		for (const index of new Set(ends.sort((a, b) => a - b))) points.push([index, values[index]]);
	}
	return points;
}

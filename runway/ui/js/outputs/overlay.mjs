// Points, boxes and landmarks over the picture they were found in.
import { FORMS, Lines } from "../controls/places.mjs";
import { percent } from "../places.mjs";
import { cut, isVisual, pictureIn, roundTo } from "../types.mjs";
import { inputPicture } from "./picture.mjs";
import { CopyButton } from "./plain.mjs";
import { html, onPictureSize, useState } from "../parts.mjs";

const COLORS = ["#ff3d71", "#00b3ff", "#2fd06a", "#ffb020", "#b07cff", "#00d0c0", "#ff7a3d", "#e3e34a"];
const IN_PIXELS = 1.5; // by convention coordinates are 0..1; scripts that use pixels pass this at once

// `values` is a list of places, `value` a single one.
export function Overlay({ type, value, values, entry, command, name = type.name }) {
	const [natural, setNatural] = useState(null);
	const ground = inputPicture(entry, command) ?? pictureIn(command.outputs.filter(isVisual), entry.outputs);
	const places = values ?? [value];
	const isPixels = places.flat(3).some((number) => Math.abs(number) > IN_PIXELS);
	const size = (isPixels && natural) || [1, 1];
	const isBox = type.type === "image_bounding_box";
	return html`<div class="overlay-view">
		<div class="board is-output ${ground ? "" : "is-blank"}">
			${ground && html`<img src=${ground} alt="${name} over the picture" ...${onPictureSize(setNatural)} />`}
			${places.map((place, index) => {
				const color = COLORS[index % COLORS.length];
				const points = FORMS[type.type].handles(place).map(([x, y]) => [x / size[0], y / size[1]]);
				const text = (at) => type.labels?.[at] ?? (places.length > 1 ? `${name} ${index + 1}` : name);
				return html`
					<${Lines} type=${type} points=${points} color=${color} />
					${(isBox ? points.slice(0, 1) : points).map((point, at) => html`
						<span class=${isBox ? "box-name" : "mark"} style=${{ ...percent(point), "--color": color }} data-label=${text(at)}></span>
					`)}
				`;
			})}
		</div>
		<div class="row">
			<code class="coordinates">${short(values ?? value)}</code>
			<${CopyButton} text=${() => JSON.stringify(values ?? value)} name=${name} />
		</div>
	</div>`;
}

const short = (value) => cut(JSON.stringify(value, (_, inner) => (typeof inner === "number" ? roundTo(inner, 3) : inner)), 160);

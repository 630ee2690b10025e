// What a command gave, shown by type.
import { isNumbers, isPlace, isVisual, title } from "../types.mjs";
import { Chart } from "./chart.mjs";
import { JsonTree, TextView } from "./plain.mjs";
import { PictureView } from "./picture.mjs";
import { Overlay } from "./overlay.mjs";
import { html } from "../parts.mjs";

const VIEWS = {
	any: JsonValue,
	array: ArrayView,
	boolean: ({ value }) => html`<span class="pill ${value ? "is-yes" : "is-no"}">${value ? "Yes" : "No"}</span>`,
	category: ({ value }) => html`<span class="pill">${String(value)}</span>`,
	file: ({ value, type }) => html`<${TextView} value=${value ?? "–"} label="Path of ${type.name}" />`,
	image: PictureView,
	image_bounding_box: Overlay,
	image_landmarks: Overlay,
	image_point: Overlay,
	number: ({ value }) => html`<span class="big-number">${value === null ? "–" : String(value)}</span>`,
	segmentation: PictureView,
	text: ({ value, type }) => html`<${TextView} value=${value} label=${type.name} />`,
	vector: JsonValue,
};

const viewFor = (type) => VIEWS[type.type] ?? JsonValue;

export function OutputField({ type, entry, command }) {
	const View = viewFor(type);
	return html`<section class="output output-${type.type}" data-output=${type.name} aria-label=${title(type.name)}>
		<h3 title=${type.description ?? undefined}>${title(type.name)}</h3>
		<${View} type=${type} value=${entry.outputs[type.name]} entry=${entry} command=${command} />
	</section>`;
}

function JsonValue({ value, type }) {
	return isNumbers(value)
		? html`<${Chart} values=${value} name=${type.name} />`
		: html`<${JsonTree} value=${value} label=${type.name} />`;
}

function ArrayView({ type, value, ...place }) {
	const { name, itemType } = type;
	if (!value?.length) return html`<p class="muted">An empty list.</p>`;
	if (isNumbers(value)) return html`<${Chart} values=${value} name=${name} />`;
	if (isPlace(itemType)) return html`<${Overlay} type=${itemType} values=${value} name=${name} ...${place} />`;
	const Item = viewFor(itemType);
	const isGallery = isVisual(itemType);
	return html`<ol class=${isGallery ? "gallery" : "list"}>
		${value.map((item, index) => html`<li key=${index}>
			${isGallery
				? html`<img src=${item} alt="${title(name)} ${index + 1}" />`
				: html`<${Item} type=${{ ...itemType, name: `${name} ${index + 1}` }} value=${item} ...${place} />`}
		</li>`)}
	</ol>`;
}

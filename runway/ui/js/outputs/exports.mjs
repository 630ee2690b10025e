// Results as files.
import { writeCsv } from "../media/rows.mjs";
import { blobOf, isPicture, toPng } from "../media/pictures.mjs";
import { isVisual } from "../types.mjs";

export function save(blob, name) {
	const url = URL.createObjectURL(blob);
	const link = Object.assign(document.createElement("a"), { href: url, download: name });
	document.body.append(link);
	link.click();
	link.remove();
	setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
}

const number = (index) => String(index + 1).padStart(4, "0");

// Names of the outputs that are pictures, or lists of them.
export function pictureNames(command) {
	return command.outputs.filter((type) => isVisual(type.itemType ?? type)).map((type) => type.name);
}

// All pictures of one output in some outputs objects, in order.
export function picturesOf(outputs, name) {
	return outputs.flatMap((one) => one[name] ?? []).filter(isPicture);
}

export const pngOf = (uri) => toPng(blobOf(uri));

// A zip of numbered PNG files.
export async function pngSequence(pictures, name, onProgress) {
	const { zip } = await import("../../vendor/fflate.mjs"); // only who exports loads it
	const files = {};
	for (const [index, uri] of pictures.entries()) {
		const png = await pngOf(uri);
		files[`${name}-${number(index)}.png`] = [new Uint8Array(await png.arrayBuffer()), { level: 0 }]; // PNG is packed already
		onProgress((index + 1) / pictures.length);
	}
	const bytes = await new Promise((resolve, reject) => zip(files, (error, data) => (error ? reject(error) : resolve(data))));
	return new Blob([bytes], { type: "application/zip" });
}

export function json(entries) {
	const rows = entries.map(({ at, ms, label, inputs, outputs }) => ({ at: at.toISOString(), ms: Math.round(ms), label, inputs, outputs }));
	return new Blob([JSON.stringify(rows, null, 2)], { type: "application/json" });
}

// A row a result. Pictures stand as the file names that the PNG sequence gives them.
export function csv(entries, command) {
	const columns = [
		...command.inputs.map((type) => [`inputs.${type.name}`, type, "inputs"]),
		...command.outputs.map((type) => [`outputs.${type.name}`, type, "outputs"]),
	];
	const rows = entries.map((entry, index) => {
		const cells = columns.map(([column, type, side]) => [column, cellOf(entry[side][type.name], type.name, index)]);
		return { at: entry.at.toISOString(), ms: Math.round(entry.ms), label: entry.label, ...Object.fromEntries(cells) };
	});
	const names = ["at", "ms", "label", ...columns.map(([column]) => column)];
	return new Blob([writeCsv(names, rows)], { type: "text/csv" });
}

function cellOf(value, name, index) {
	if (isPicture(value)) return `${name}-${number(index)}.png`;
	if (Array.isArray(value) && value.some(isPicture)) return `${value.length} pictures`;
	return value;
}

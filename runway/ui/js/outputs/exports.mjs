// Results as files.
import { writeCsv } from "../media/rows.mjs";
import { blobOf, isPicture, toPng } from "../media/pictures.mjs";
import { isVisual } from "../types.mjs";

export function save(blob, name) {
	const url = URL.createObjectURL(blob);
	const link = Object.assign(document.createElement("a"), { href: url, download: name });
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
}

const number = (index) => String(index + 1).padStart(4, "0");

// Outputs that are pictures, or lists of them.
export const pictureNames = (command) => command.outputs.filter((type) => isVisual(type.itemType ?? type)).map((type) => type.name);

// All pictures of one output, in order.
export const picturesOf = (outputs, name) => outputs.flatMap((one) => one[name] ?? []).filter(isPicture);

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

const headOf = ({ at, ms, label }) => ({ at: at.toISOString(), ms: Math.round(ms), label });

export function json(entries) {
	const rows = entries.map((entry) => ({ ...headOf(entry), inputs: entry.inputs, outputs: entry.outputs }));
	return new Blob([JSON.stringify(rows, null, 2)], { type: "application/json" });
}

// A row a result. Pictures stand as the file names that the PNG sequence gives them.
export function csv(entries, command) {
	const columns = ["inputs", "outputs"].flatMap((side) => command[side].map(({ name }) => [side, name]));
	const rows = entries.map((entry, index) => [
		...Object.values(headOf(entry)),
		...columns.map(([side, name]) => cellOf(entry[side][name], name, index)),
	]);
	const names = ["at", "ms", "label", ...columns.map((column) => column.join("."))];
	return new Blob([writeCsv([names, ...rows])], { type: "text/csv" });
}

function cellOf(value, name, index) {
	if (isPicture(value)) return `${name}-${number(index)}.png`;
	return Array.isArray(value) && value.some(isPicture) ? `${value.length} pictures` : value;
}

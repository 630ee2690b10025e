// Rows of inputs from CSV and JSON files, and back to CSV (RFC 4180).

export function parseCsv(text) {
	const rows = [[]];
	let cell = "";
	let isQuoted = false;
	const source = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
	for (let at = 0; at < source.length; at += 1) {
		const sign = source[at];
		if (isQuoted && sign === '"' && source[at + 1] === '"') {
			cell += sign;
			at += 1;
		} else if (isQuoted && sign !== '"') cell += sign;
		else if (isQuoted) isQuoted = false;
		else if (sign === '"') isQuoted = true;
		else if (sign === "," || sign === "\n") {
			rows.at(-1).push(cell);
			cell = "";
			if (sign === "\n") rows.push([]);
		} else cell += sign;
	}
	rows.at(-1).push(cell);
	const [names, ...body] = rows.filter((row) => row.length > 1 || row[0] !== "");
	if (!names) throw new Error("The file has no rows.");
	return body.map((row) => Object.fromEntries(names.map((name, index) => [name.trim(), row[index] ?? ""])));
}

export function writeCsv(rows) {
	const cell = (value) => {
		const text = typeof value === "object" && value ? JSON.stringify(value) : String(value ?? "");
		return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
	};
	return rows.map((row) => row.map(cell).join(",")).join("\r\n");
}

export function parseJsonRows(text) {
	const read = JSON.parse(text);
	const rows = Array.isArray(read) ? read : [read];
	if (!rows.length || rows.some((row) => row === null || typeof row !== "object" || Array.isArray(row))) {
		throw new Error("The file must be a list of objects, one for each run: [{\"seed\": 1}, {\"seed\": 2}]");
	}
	return rows.map((row) => row.inputs ?? row); // what this page exports can be run again
}

// The value that a CSV cell means for a type.
export function fromCell(type, cell) {
	if (["text", "file", "image", "segmentation"].includes(type.type)) return cell;
	if (type.type === "category") return type.oneOf.find((choice) => String(choice) === cell) ?? cell;
	if (type.type === "boolean" && /^(true|false|yes|no|1|0)$/i.test(cell.trim())) return /^(true|yes|1)$/i.test(cell.trim());
	try {
		return JSON.parse(cell);
	} catch {
		return cell; // the server says what is wrong with it
	}
}

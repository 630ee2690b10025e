// The results of a command, newest first, within a bound of count and size.

const MAX_CHARACTERS = 64_000_000; // data URIs are the bulk of it

let lastId = 0;

// One answered call: what went in, what came out, when, how long it took.
export function makeEntry({ inputs, outputs, ms, label = "", frames = [] }) {
	return { id: (lastId += 1), at: new Date(), inputs, outputs, ms, label, frames, size: weigh([inputs, outputs, frames]) };
}

export function remember(history, entry, limit) {
	const kept = [entry];
	let size = entry.size;
	for (const old of history) {
		size += old.size;
		if (kept.length >= limit || size > MAX_CHARACTERS) break;
		kept.push(old);
	}
	return kept;
}

// Characters of a value, about.
export function weigh(value) {
	if (typeof value === "string") return value.length;
	if (Array.isArray(value)) return value.reduce((sum, item) => sum + weigh(item), 8);
	if (value && typeof value === "object") return weigh(Object.values(value));
	return 8;
}

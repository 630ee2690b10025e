// What a reload brings back: view and small values in the address, large ones in the browser's database.
import { ROOT } from "./api.mjs";

const MAX_IN_ADDRESS = 1200; // characters of one value; longer ones would make addresses nobody can send
const STORE = "values";

let database = null;

function opened() {
	const request = indexedDB.open(`runway-workspace ${ROOT.pathname}`, 1);
	request.onupgradeneeded = () => request.result.createObjectStore(STORE);
	return answered(request);
}

// What a request of the database gives; undefined where it fails.
function answered(request) {
	return new Promise((resolve) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => resolve(undefined);
	});
}

async function withStore(mode, use) {
	database ??= opened();
	const db = await database; // barred in some private windows: large values are then forgotten
	return db && answered(use(db.transaction(STORE, mode).objectStore(STORE)));
}

// Keeps a value that is too large for the address; forgets the one before if it is small now.
export function keepLarge(view, name, value) {
	const key = `${view}/${name}`;
	return withStore("readwrite", (store) => (isLarge(value) ? store.put(value, key) : store.delete(key)));
}

// The values kept for inputs or options, by their names.
export async function recallAll(view, types) {
	const found = {};
	for (const { name } of types) {
		const value = await withStore("readonly", (store) => store.get(`${view}/${name}`));
		if (value !== undefined) found[name] = value;
	}
	return found;
}

export function readAddress() {
	const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
	const values = {};
	for (const [name, text] of new URLSearchParams(query)) {
		try {
			values[name] = JSON.parse(text);
		} catch {
			// somebody's own edit; the default stands
		}
	}
	return { view: decodeURIComponent(path), values };
}

export function addressOf(view, values) {
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(values)) {
		if (!isLarge(value) && value !== undefined) query.set(name, JSON.stringify(value));
	}
	const text = query.toString();
	return `#/${encodeURIComponent(view)}${text ? `?${text}` : ""}`;
}

function isLarge(value) {
	if (typeof value === "string") return value.length > MAX_IN_ADDRESS; // pictures: not worth another copy
	return (JSON.stringify(value)?.length ?? 0) > MAX_IN_ADDRESS;
}

// What a reload brings back: view and small values in the address, large ones in the browser's database.
import { ROOT } from "./api.mjs";
import { atMost } from "./store.mjs";

const MAX_IN_ADDRESS = 1200; // characters of one value; longer ones would make addresses nobody can send
const STORE = "values";
const KEEP_EVERY_MS = 400; // typing should not write the database at every key
const unkept = new Map();
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
	const change = (await database)?.transaction(STORE, mode); // barred in some private windows: large values are then forgotten
	const done = change && answered(use(change.objectStore(STORE)));
	change?.commit(); // now: the page may be gone before the browser does it by itself
	return done;
}

// Keeps a value that is too large for the address; forgets the one before if it is small now.
export function keepLarge(view, name, value) {
	unkept.set(`${view}/${name}`, value);
	keepAll();
}

const keepAll = atMost(() => {
	for (const [key, value] of unkept) withStore("readwrite", (store) => (isLarge(value) ? store.put(value, key) : store.delete(key)));
	unkept.clear();
}, KEEP_EVERY_MS);

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
	const text = typeof value === "string" ? value : JSON.stringify(value); // pictures: not worth another copy
	return text?.length > MAX_IN_ADDRESS;
}

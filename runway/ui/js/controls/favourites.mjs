// Vectors worth keeping, in the browser's storage, for all inputs of one name and length.
import { ROOT } from "../api.mjs";
import { stored } from "../storage.mjs";

const MOST = 24;
const kept = (type) => stored("localStorage", `runway-favourites ${ROOT.pathname} ${type.name} ${type.length}`);

function write(type, list) {
	kept(type).keep(JSON.stringify(list));
	return list;
}

export const favourites = {
	all: (type) => JSON.parse(kept(type).read() ?? "[]"),
	add: (type, values) => write(type, [...favourites.all(type), { at: Date.now() + Math.random(), values }].slice(-MOST)),
	remove: (type, at) => write(type, favourites.all(type).filter((one) => one.at !== at)),
};

// The server's access token: asked for when it answers 401, kept until the tab is closed.
import { createStore, stored } from "./store.mjs";

const kept = stored("sessionStorage", "runway-token");

let current = kept.read() ?? "";
let pending = null;

// `isAsked`: a prompt is open. `wasRefused`: the token that was given does not fit.
export const prompt = createStore({ isAsked: false, wasRefused: false });

export const token = {
	headers: () => (current ? { Authorization: `Bearer ${current}` } : {}),
	value: () => current,
	// A page sets no headers on a WebSocket. Names of protocols take no parentheses, encoded addresses do.
	protocols() {
		const name = encodeURIComponent(current).replace(/[()]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
		return current ? ["runway", `bearer.${name}`] : [];
	},
	askFor() {
		if (!pending) prompt.set({ isAsked: true, wasRefused: current !== "" });
		pending ??= Promise.withResolvers();
		return pending.promise;
	},
	give(value) {
		current = value.trim();
		kept.keep(current);
		prompt.set({ isAsked: false });
		pending?.resolve();
		pending = null;
	},
};

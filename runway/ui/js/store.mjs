// A value that components follow. `set` takes a patch, or a function of the state that gives one.
import { useEffect, useState } from "./dom.mjs";

export function createStore(initial) {
	let state = initial;
	const listeners = new Set();
	return {
		get: () => state,
		set(patch) {
			state = { ...state, ...(typeof patch === "function" ? patch(state) : patch) };
			for (const listener of [...listeners]) listener(state);
		},
		follow(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},
	};
}

export function useStore(store) {
	const [, redraw] = useState(0);
	useEffect(() => {
		const follow = () => redraw((count) => count + 1);
		follow(); // it may have changed between drawing and this moment
		return store.follow(follow);
	}, [store]);
	return store.get();
}

// A function that does `use` at once, and then no sooner than `ms` later; wishes meanwhile are one.
export function atMost(use, ms) {
	let [timer, isWanted] = [null, false];
	return function wish() {
		isWanted = timer !== null;
		if (isWanted) return;
		timer = setTimeout(() => {
			timer = null;
			if (isWanted) wish();
		}, ms);
		use();
	};
}

// A text in the browser's storage. Where that is full or barred it lasts until the page is left.
export const stored = (storage, key) => ({
	read() {
		try {
			return window[storage].getItem(key);
		} catch {
			return null;
		}
	},
	keep(text) {
		try {
			window[storage].setItem(key, text);
		} catch {
			// kept in this page only
		}
	},
});

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
		redraw((count) => count + 1); // it may have changed between drawing and this moment
		return store.follow(() => redraw((count) => count + 1));
	}, [store]);
	return store.get();
}

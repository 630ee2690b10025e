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

// Copying, also where the page is not secure and the browser's newer interface is missing.

export const BARRED = "The browser bars the clipboard here";

export async function copyText(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copyBySelection(text);
	}
}

function copyBySelection(text) {
	const area = document.createElement("textarea");
	area.value = text;
	area.className = "sr-only";
	document.body.append(area);
	area.select();
	const isCopied = document.execCommand("copy");
	area.remove();
	return isCopied;
}

// Whether the picture got onto the clipboard; only secure pages may put it there.
export async function copyPicture(pngBlob) {
	try {
		await navigator.clipboard.write([new ClipboardItem({ "image/png": pngBlob })]);
		return true;
	} catch {
		return false;
	}
}

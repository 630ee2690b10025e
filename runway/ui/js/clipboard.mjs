// Copying, also where the page is not secure and lacks the browser's newer interface.

export const BARRED = "The browser bars the clipboard here";

// Whether the text got onto the clipboard.
export const copyText = async (text) => (await works(() => navigator.clipboard.writeText(text))) || copyBySelection(text);

// The same of a picture; only secure pages may put one there.
export const copyPicture = (png) => works(() => navigator.clipboard.write([new ClipboardItem({ "image/png": png })]));

async function works(write) {
	try {
		await write();
		return true;
	} catch {
		return false;
	}
}

function copyBySelection(text) {
	const area = Object.assign(document.createElement("textarea"), { value: text, className: "sr-only" });
	document.body.append(area);
	area.select();
	const isCopied = document.execCommand("copy");
	area.remove();
	return isCopied;
}

// Pictures as data URIs and blobs. Decoding, scaling and encoding happen in a worker, so the page never stands still.

let worker = null;
let lastId = 0;
const waiting = new Map();

function send(task, transfer = []) {
	if (!worker) {
		worker = new Worker(new URL("./picture-worker.mjs", import.meta.url), { type: "module" });
		worker.addEventListener("message", ({ data }) => {
			const { resolve, reject } = waiting.get(data.id);
			waiting.delete(data.id);
			if (data.error) reject(new Error(data.error));
			else resolve(data.result);
		});
	}
	lastId += 1;
	const id = lastId;
	worker.postMessage({ id, ...task }, transfer);
	return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

// Data URI of a picture after `edit`: {fit, width, height, crop, format}. Without changes the very bytes.
export const prepare = (blob, edit) => send({ op: "prepare", blob, edit });

// Data URI of a video frame, a JPEG whose longer side is `maxSide` at most; 0 leaves it as it is.
export async function grab(video, maxSide, mirror = false) {
	const bitmap = await createImageBitmap(video);
	return send({ op: "grab", bitmap, maxSide, mirror }, [bitmap]);
}

// The same picture as a PNG blob.
export const toPng = (blob) => send({ op: "png", blob });

export const dataUri = (blob) => send({ op: "read", blob });

export function blobOf(uri) {
	const type = /^data:([^;,]*)/.exec(uri)?.[1] || "application/octet-stream";
	const text = atob(uri.slice(uri.indexOf(",") + 1));
	return new Blob([Uint8Array.from(text, (sign) => sign.charCodeAt(0))], { type });
}

export const isPicture = (value) => typeof value === "string" && value.startsWith("data:image/");

export function loadImage(uri) {
	return new Promise((resolve, reject) => {
		const image = new Image();
		image.onload = () => resolve(image);
		image.onerror = () => reject(new Error("The picture cannot be shown by this browser."));
		image.src = uri;
	});
}

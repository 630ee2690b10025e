// Pictures as data URIs and blobs. A worker decodes, scales and encodes, so the page never stands still.

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
	worker.postMessage({ id: (lastId += 1), ...task }, transfer);
	waiting.set(lastId, Promise.withResolvers());
	return waiting.get(lastId).promise;
}

// Data URI of a picture after `edit`: {fit, width, height, crop, format}. Without changes the very bytes.
export const prepare = (blob, edit) => send({ op: "prepare", blob, edit });

// Data URI of a video frame, a JPEG of `maxSide` at most; 0 leaves it as it is.
export async function grab(video, maxSide, mirror = false) {
	const bitmap = await createImageBitmap(video);
	return send({ op: "grab", bitmap, maxSide, mirror }, [bitmap]);
}

// The same picture as a PNG blob.
export const toPng = (blob) => send({ op: "png", blob });

export function blobOf(uri) {
	const type = /^data:([^;,]*)/.exec(uri)?.[1] || "application/octet-stream";
	const text = atob(uri.slice(uri.indexOf(",") + 1));
	return new Blob([Uint8Array.from(text, (sign) => sign.charCodeAt(0))], { type });
}

export const isPicture = (value) => typeof value === "string" && value.startsWith("data:image/");

export async function loadImage(uri) {
	const image = Object.assign(new Image(), { src: uri });
	await image.decode();
	return image;
}

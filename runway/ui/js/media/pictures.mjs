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

// {width, height, preview} of a picture; `preview` is a bitmap no larger than `maxSide`.
export const inspect = (blob, maxSide = 1600) => send({ op: "inspect", blob, maxSide });

// Data URI of a picture after `edit`: {fit, width, height, crop, format, quality}. Without changes the very bytes.
export const prepare = (blob, edit) => send({ op: "prepare", blob, edit });

// Data URI of a video frame or canvas, scaled so that its longer side is `maxSide` at most.
export async function grab(source, maxSide, { mirror = false, type = "image/jpeg" } = {}) {
  const bitmap = await createImageBitmap(source);
  return send({ op: "grab", bitmap, maxSide, mirror, type }, [bitmap]);
}

// The same picture as a PNG blob.
export const toPng = (blob) => send({ op: "png", blob });

export const dataUri = (blob) => send({ op: "read", blob });

export function blobOf(uri) {
  const [head, body] = [uri.slice(0, uri.indexOf(",")), uri.slice(uri.indexOf(",") + 1)];
  const type = /^data:([^;,]*)/.exec(head)?.[1] || "application/octet-stream";
  const text = atob(body);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  return new Blob([bytes], { type });
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

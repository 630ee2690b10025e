// The heavy half of pictures.mjs.
import { placement } from "./fit.mjs";

const JPEG = "image/jpeg";
const PNG = "image/png";
const JPEG_QUALITY = 0.92;

const tasks = {
	async prepare({ blob, edit }) {
		if (edit.fit === "original" && !edit.crop && edit.format === "same") return read(blob);
		const bitmap = await createImageBitmap(blob);
		const type = edit.format === "same" ? (blob.type === JPEG ? JPEG : PNG) : `image/${edit.format}`;
		return read(await encoded(bitmap, type, placement(bitmap, edit)));
	},

	async grab({ bitmap, maxSide, mirror }) {
		const scale = maxSide ? Math.min(1, maxSide / Math.max(bitmap.width, bitmap.height)) : 1;
		const size = { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) };
		return read(await encoded(bitmap, JPEG, { size, mirror }));
	},

	png: async ({ blob }) => (blob.type === PNG ? blob : encoded(await createImageBitmap(blob), PNG)),
};

const read = (blob) => new FileReaderSync().readAsDataURL(blob);

// Blob of the part `source` of a bitmap, drawn in `size`.
function encoded(bitmap, type, { source = { x: 0, y: 0, width: bitmap.width, height: bitmap.height }, size = bitmap, mirror } = {}) {
	const { width, height } = size;
	const canvas = new OffscreenCanvas(width, height);
	const pen = canvas.getContext("2d");
	pen.imageSmoothingQuality = "high";
	if (type === JPEG) {
		pen.fillStyle = "#fff"; // as the SDK does with transparency
		pen.fillRect(0, 0, width, height);
	}
	if (mirror) pen.setTransform(-1, 0, 0, 1, width, 0);
	pen.drawImage(bitmap, source.x, source.y, source.width, source.height, 0, 0, width, height);
	bitmap.close();
	return canvas.convertToBlob({ type, quality: JPEG_QUALITY });
}

self.addEventListener("message", async ({ data }) => {
	try {
		self.postMessage({ id: data.id, result: await tasks[data.op](data) });
	} catch (error) {
		self.postMessage({ id: data.id, error: `This browser cannot read the picture: ${error.message}` });
	}
});

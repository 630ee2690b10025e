// The heavy half of pictures.mjs.
import { placement } from "./fit.mjs";

const JPEG_QUALITY = 0.92;

const tasks = {
  async inspect({ blob, maxSide }) {
    const full = await createImageBitmap(blob);
    const { width, height } = full;
    const scale = Math.min(1, maxSide / Math.max(width, height));
    if (scale === 1) return [{ width, height, preview: full }, [full]];
    const size = { resizeWidth: Math.round(width * scale), resizeHeight: Math.round(height * scale) };
    const preview = await createImageBitmap(full, { ...size, resizeQuality: "medium" });
    full.close();
    return [{ width, height, preview }, [preview]];
  },

  async prepare({ blob, edit }) {
    if (edit.fit === "original" && !edit.crop && edit.format === "same") return [read(blob)];
    const bitmap = await createImageBitmap(blob);
    const { source, target, size } = placement(bitmap, edit);
    const canvas = new OffscreenCanvas(size.width, size.height);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    const type = edit.format === "same" ? typeFor(blob) : `image/${edit.format}`;
    if (type === "image/jpeg") {
      pen.fillStyle = "#fff"; // as the SDK does with transparency
      pen.fillRect(0, 0, size.width, size.height);
    }
    pen.drawImage(bitmap, source.x, source.y, source.width, source.height, target.x, target.y, target.width, target.height);
    bitmap.close();
    return [read(await canvas.convertToBlob({ type, quality: edit.quality ?? JPEG_QUALITY }))];
  },

  async grab({ bitmap, maxSide, mirror, type }) {
    const scale = maxSide ? Math.min(1, maxSide / Math.max(bitmap.width, bitmap.height)) : 1;
    const [width, height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d");
    if (mirror) pen.setTransform(-1, 0, 0, 1, width, 0);
    pen.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
    return [read(await canvas.convertToBlob({ type, quality: JPEG_QUALITY }))];
  },

  async png({ blob }) {
    if (blob.type === "image/png") return [blob];
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    return [await canvas.convertToBlob({ type: "image/png" })];
  },

  async read({ blob }) {
    return [read(blob)];
  },
};

const typeFor = (blob) => (blob.type === "image/jpeg" ? "image/jpeg" : "image/png");
const read = (blob) => new FileReaderSync().readAsDataURL(blob);

self.addEventListener("message", async ({ data }) => {
  try {
    const [result, transfer = []] = await tasks[data.op](data);
    self.postMessage({ id: data.id, result }, transfer);
  } catch (error) {
    self.postMessage({ id: data.id, error: `This browser cannot read the picture: ${error.message}` });
  }
});

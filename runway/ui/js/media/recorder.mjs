// Pictures to a video, by the browser's own encoder. It records in real time.
import { loadImage } from "./pictures.mjs";

const KINDS = {
	mp4: ["video/mp4;codecs=avc1.42E01F", "video/mp4"],
	webm: ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"],
};
const BITS_PER_SECOND = 8_000_000;

// Containers this browser can write: [[suffix, mime type]], the first of each.
export function videoKinds() {
	const isPossible = (mime) => window.MediaRecorder?.isTypeSupported(mime);
	return Object.entries(KINDS).map(([suffix, mimes]) => [suffix, mimes.find(isPossible)]).filter(([, mime]) => mime);
}

export class VideoRecorder {
	recorder = null;
	chunks = [];

	constructor(mime) {
		this.mime = mime;
	}

	// Shows a picture from now on; the first one gives the size.
	async add(uri) {
		const image = await loadImage(uri);
		if (!this.recorder) this.start(image.naturalWidth, image.naturalHeight);
		this.pen.drawImage(image, 0, 0, this.canvas.width, this.canvas.height);
		this.track.requestFrame?.();
	}

	start(width, height) {
		const even = (length) => Math.max(2, length - (length % 2)); // H.264 takes even sizes only
		this.canvas = Object.assign(document.createElement("canvas"), { width: even(width), height: even(height) });
		this.pen = this.canvas.getContext("2d", { alpha: false });
		const stream = this.canvas.captureStream();
		[this.track] = stream.getVideoTracks();
		this.recorder = new MediaRecorder(stream, { mimeType: this.mime, videoBitsPerSecond: BITS_PER_SECOND });
		this.recorder.ondataavailable = ({ data }) => this.chunks.push(data);
		this.recorder.start(1000);
	}

	async stop() {
		if (!this.recorder) return null;
		await new Promise((resolve) => {
			this.recorder.onstop = resolve;
			this.recorder.stop();
		});
		this.track.stop();
		return new Blob(this.chunks, { type: this.mime.split(";")[0] });
	}
}

// A video of `pictures` at `fps`; `onProgress` hears the share done.
export async function record(pictures, fps, mime, { onProgress, signal }) {
	const recorder = new VideoRecorder(mime);
	const began = performance.now();
	for (const [index, uri] of pictures.entries()) {
		if (signal.aborted) break;
		await recorder.add(uri);
		const due = began + ((index + 1) * 1000) / fps;
		await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
		onProgress((index + 1) / pictures.length);
	}
	return recorder.stop();
}

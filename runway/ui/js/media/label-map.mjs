// A map of labels, one index a pixel: painted, filled, undone, imported. No page, no canvas.

const MAX_HISTORY_BYTES = 64_000_000;
const MAX_STEPS = 100;

export class LabelMap {
	// `colors` holds [r, g, b] for each label index.
	constructor(width, height, colors, fill = 0) {
		Object.assign(this, { width, height, colors, past: [], future: [] });
		this.pixels = new Uint8Array(width * height).fill(fill);
	}

	// What undo goes back to: call it before a change.
	mark() {
		this.past.push(this.pixels.slice());
		this.future.length = 0;
		const most = Math.max(1, Math.min(MAX_STEPS, Math.floor(MAX_HISTORY_BYTES / this.pixels.length)));
		if (this.past.length > most) this.past.shift();
	}

	undo = () => this.swap(this.past, this.future);
	redo = () => this.swap(this.future, this.past);

	// Whether there was something to take from one side; what is there now goes to the other.
	swap(from, to) {
		if (!from.length) return false;
		to.push(this.pixels);
		this.pixels = from.pop();
		return true;
	}

	// A round brush of `size` pixels drawn from one place to another.
	stroke(x0, y0, x1, y1, size, label) {
		const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0)));
		for (let step = 0; step <= steps; step += 1) {
			const part = step / steps;
			this.stamp(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, size / 2, label);
		}
	}

	stamp(x, y, radius, label) {
		const reach = Math.max(radius, 0.5);
		const top = Math.max(0, Math.floor(y - reach));
		const bottom = Math.min(this.height - 1, Math.floor(y + reach));
		for (let row = top; row <= bottom; row += 1) {
			const half = Math.sqrt(Math.max(0, reach ** 2 - (row + 0.5 - y) ** 2));
			const left = Math.max(0, Math.ceil(x - half - 0.5));
			const right = Math.min(this.width - 1, Math.floor(x + half - 0.5));
			if (right >= left) this.pixels.fill(label, row * this.width + left, row * this.width + right + 1);
		}
		const [column, row] = [Math.floor(x), Math.floor(y)];
		const isInside = column >= 0 && row >= 0 && column < this.width && row < this.height;
		if (isInside) this.pixels[row * this.width + column] = label; // a brush of one pixel may miss all centres
	}

	// The connected area of one label, row by row.
	fill(x, y, label) {
		const { width, pixels } = this;
		const start = Math.floor(y) * width + Math.floor(x);
		const old = pixels[start];
		if (old === label || old === undefined) return;
		const waiting = [start];
		while (waiting.length) {
			let left = waiting.pop();
			if (pixels[left] !== old) continue;
			const row = left - (left % width);
			while (left > row && pixels[left - 1] === old) left -= 1;
			for (let at = left; at < row + width && pixels[at] === old; at += 1) {
				pixels[at] = label;
				for (const next of [at - width, at + width]) {
					if (pixels[next] === old && (at === left || pixels[next - 1] !== old)) waiting.push(next);
				}
			}
		}
	}

	// Takes the nearest label's place for every pixel of (r, g, b, a) bytes, as the server does.
	read(rgba) {
		const known = new Map();
		for (let at = 0; at < this.pixels.length; at += 1) {
			const [r, g, b] = [rgba[4 * at], rgba[4 * at + 1], rgba[4 * at + 2]];
			const color = (r << 16) | (g << 8) | b;
			if (!known.has(color)) known.set(color, this.nearest(r, g, b));
			this.pixels[at] = known.get(color);
		}
	}

	// Takes grey values as label ids; `indexOfId` maps them, others become `fallback`.
	readIds(rgba, indexOfId, fallback) {
		for (let at = 0; at < this.pixels.length; at += 1) this.pixels[at] = indexOfId.get(rgba[4 * at]) ?? fallback;
	}

	nearest(r, g, b) {
		const distances = this.colors.map(([x, y, z]) => (x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2);
		return distances.indexOf(Math.min(...distances));
	}

	// (r, g, b, a) bytes of the map, for a canvas.
	paint(rgba) {
		const words = new Uint32Array(rgba.buffer);
		const table = this.colors.map(([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0); // little-endian
		for (let at = 0; at < this.pixels.length; at += 1) words[at] = table[this.pixels[at]];
	}
}

export const isGrey = (rgba) => {
	for (let at = 0; at < rgba.length; at += 4) if (rgba[at] !== rgba[at + 1] || rgba[at] !== rgba[at + 2]) return false;
	return true;
};

// Points of a latent space: samples, ways between them.

// A normal sample (Box and Muller, 1958) with the mean and spread that the type declares.
export function sample({ length, samplingMean: mean = 0, samplingStd: std = 1 }) {
	return Array.from({ length }, () => {
		const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
		return mean + std * radius * Math.cos(2 * Math.PI * Math.random());
	});
}

// Weighted mix of points. The distance from the mean is mixed too: plain mixing drifts towards it, where models saw no samples.
export function blend(points, weights, mean = 0) {
	const mixed = points[0].map((_, at) => points.reduce((sum, point, index) => sum + weights[index] * (point[at] - mean), 0));
	const wanted = points.reduce((sum, point, index) => sum + weights[index] * Math.hypot(...point.map((value) => value - mean)), 0);
	const got = Math.hypot(...mixed);
	const scale = got > 1e-9 ? wanted / got : 1;
	return mixed.map((value) => Number((mean + value * scale).toFixed(5)));
}

// The point at `x`, `y` (0..1) of a square grid of `side` x `side` anchors, in rows.
export function inGrid(anchors, side, x, y, mean = 0) {
	const [column, row] = [x * (side - 1), y * (side - 1)];
	const [left, top] = [Math.min(side - 2, Math.floor(column)), Math.min(side - 2, Math.floor(row))];
	const [right, down] = [column - left, row - top];
	const first = top * side + left;
	const corners = [first, first + 1, first + side, first + side + 1].map((index) => anchors[index]);
	return blend(corners, [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down], mean);
}

// Numbers in pasted text: JSON, or anything with numbers in it.
export const numbersIn = (text) => (text.match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/gi) ?? []).map(Number);

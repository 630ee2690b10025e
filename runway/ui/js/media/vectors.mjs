// Points of a latent space: samples, ways between them.

// A normal sample (Box and Muller, 1958) with the mean and spread that the type declares.
export function sample({ length, samplingMean: mean = 0, samplingStd: std = 1 }) {
	return Array.from({ length }, () => {
		const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
		return mean + std * radius * Math.cos(2 * Math.PI * Math.random());
	});
}

// Weighted mix of points. Plain mixing drifts towards the mean, where models saw no samples: the distance from it is
// mixed too, and restored.
export function blend(points, weights, mean = 0) {
	const mixed = points[0].map((_, at) => points.reduce((sum, point, index) => sum + weights[index] * (point[at] - mean), 0));
	const distance = (vector, offset) => Math.sqrt(vector.reduce((sum, value) => sum + (value - offset) ** 2, 0));
	const wanted = points.reduce((sum, point, index) => sum + weights[index] * distance(point, mean), 0);
	const got = distance(mixed, 0);
	const scale = got > 1e-9 ? wanted / got : 1;
	return mixed.map((value) => Number((mean + value * scale).toFixed(5)));
}

// The point at `x`, `y` (0..1) of a square grid of `side` x `side` anchors, in rows.
export function inGrid(anchors, side, x, y, mean = 0) {
	const [column, row] = [x * (side - 1), y * (side - 1)];
	const [left, top] = [Math.min(side - 2, Math.floor(column)), Math.min(side - 2, Math.floor(row))];
	const [right, down] = [column - left, row - top];
	const corner = (dx, dy) => anchors[(top + dy) * side + left + dx];
	return blend(
		[corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)],
		[(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down],
		mean,
	);
}

// Numbers in pasted text: JSON, or anything with numbers in it.
export function numbersIn(text) {
	return (text.match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/gi) ?? []).map(Number);
}

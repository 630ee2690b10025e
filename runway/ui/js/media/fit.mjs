// How a picture is cut and scaled before it is sent. Pure numbers, for the page and its worker.

export const WHOLE = { x: 0, y: 0, width: 1, height: 1 };
export const AS_IT_IS = { fit: "original", width: 0, height: 0, crop: null, format: "same" };

// The edit that a type's declared sizes ask for.
export function editFor(type) {
	if (type.width && type.height) return { ...AS_IT_IS, fit: "cover", width: type.width, height: type.height };
	const width = type.width ?? type.maxWidth;
	const height = type.height ?? type.maxHeight;
	if (width || height) return { ...AS_IT_IS, fit: "inside", width: width ?? height, height: height ?? width };
	return AS_IT_IS;
}

// {source, size}: the part of the picture that is kept, and the size it is drawn in.
// "inside" never enlarges, "cover" cuts what hangs over, "stretch" takes width x height whatever the shape.
export function placement(picture, { fit, width, height, crop }) {
	const part = crop ?? WHOLE;
	const source = {
		x: part.x * picture.width,
		y: part.y * picture.height,
		width: Math.max(1, part.width * picture.width),
		height: Math.max(1, part.height * picture.height),
	};
	const shrunk = (scale) => ({
		width: Math.max(1, Math.round(source.width * scale)),
		height: Math.max(1, Math.round(source.height * scale)),
	});
	if (fit === "original" || !width || !height) return { source, size: shrunk(1) };
	const scales = [width / source.width, height / source.height];
	if (fit === "inside") return { source, size: shrunk(Math.min(1, ...scales)) };
	const size = { width, height };
	if (fit === "stretch") return { source, size };
	const scale = Math.max(...scales);
	const kept = { width: width / scale, height: height / scale };
	const [x, y] = [source.x + (source.width - kept.width) / 2, source.y + (source.height - kept.height) / 2];
	return { size, source: { x, y, ...kept } };
}

// Places in an element as shares of its sides: under the pointer, dragged, and moved by arrow keys.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const bound = (value, low = 0, high = 1) => Math.min(high, Math.max(low, value));

export const percent = ([x, y]) => ({ left: `${x * 100}%`, top: `${y * 100}%` });

// What is read out of a place that can be moved.
export const spoken = ([x, y]) => `${Math.round(x * 100)}%, ${Math.round(y * 100)}%; arrow keys move it`;

// [x, y] of a pointer event; `within` is what becomes of shares beyond the edges.
export function placeIn(element, event, within = (share) => bound(share)) {
	const box = element.getBoundingClientRect();
	return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
}

// How far an arrow key moves something, [x, y], with shift by `shifted`; null for other keys.
export function arrowStep(event, step, shifted) {
	const arrow = ARROWS[event.key];
	if (!arrow) return null;
	event.preventDefault();
	return arrow.map((side) => side * (event.shiftKey ? shifted : step));
}

// Attributes of an element in which things are dragged. What `onStart` gives stands in the ref `held` until the pointer
// goes up; null is nothing.
export function dragging(held, { onStart, onMove, onEnd = () => {} }) {
	const end = () => {
		if (held.current === null) return;
		held.current = null;
		onEnd();
	};
	return {
		onPointerDown(event) {
			held.current = onStart(event);
			if (held.current !== null) event.currentTarget.setPointerCapture(event.pointerId);
		},
		onPointerMove: (event) => held.current !== null && onMove(event),
		onPointerUp: end,
		onPointerCancel: end,
	};
}

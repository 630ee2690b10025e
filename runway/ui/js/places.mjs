// Places in an element as shares of its sides: under the pointer, and moved by arrow keys.

export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const bound = (value, low = 0, high = 1) => Math.min(high, Math.max(low, value));

export const percent = ([x, y]) => ({ left: `${x * 100}%`, top: `${y * 100}%` });

// [x, y] of a pointer event; `within` is what becomes of shares beyond the edges.
export function placeIn(element, event, within = (share) => bound(share)) {
  const box = element.getBoundingClientRect();
  return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
}

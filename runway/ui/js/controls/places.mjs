// Point, bounding box and landmarks, set on the input picture: by pointer, by arrow keys, by numbers.
import { ARROWS, bound, percent, placeIn } from "../places.mjs";
import { firstValue, roundTo } from "../types.mjs";
import { NumberField, html, useRef, useState } from "../parts.mjs";

const STEP = 0.01; // of the picture's side, for an arrow key
const within = (share) => roundTo(bound(share), 4);

// Each type as a list of handles, and back.
const FORMS = {
  image_point: { handles: (value) => [value], value: ([point]) => point, names: ["Point"] },
  image_bounding_box: {
    handles: ([left, top, right, bottom]) => [
      [left, top],
      [right, bottom],
    ],
    value: ([a, b]) => sorted(a, b),
    names: ["Top left corner", "Bottom right corner"],
  },
  image_landmarks: { handles: (value) => value, value: (points) => points, names: [] },
};

function sorted([x0, y0], [x1, y1]) {
  const least = 0.001; // the server refuses boxes without an extent
  const [left, right] = [Math.min(x0, x1), Math.max(x0, x1, Math.min(x0, x1) + least)];
  const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1, Math.min(y0, y1) + least)];
  return [left, top, right, bottom].map((number) => roundTo(number, 4));
}

export function PlacesControl({ id, type, value, onChange, context }) {
  const form = FORMS[type.type];
  const given = value ?? firstValue(type);
  const points = form.handles(given);
  const board = useRef(null);
  const held = useRef(null); // index of the handle under the pointer
  const [active, setActive] = useState(0);
  const name = (index) => type.labels?.[index] ?? form.names[index] ?? `Point ${index + 1}`;

  const set = (index, point) => onChange(form.value(points.map((old, at) => (at === index ? point : old))));
  const place = (event) => placeIn(board.current, event, within);
  const nearest = ([x, y]) => {
    const far = points.map(([px, py]) => (px - x) ** 2 + (py - y) ** 2);
    return far.indexOf(Math.min(...far));
  };
  const down = (event) => {
    const at = place(event);
    board.current.setPointerCapture(event.pointerId);
    const handle = event.target.closest("[data-handle]");
    if (type.type === "image_bounding_box" && !handle) {
      held.current = 1;
      onChange(sorted(at, at));
      return;
    }
    held.current = handle ? Number(handle.dataset.handle) : nearest(at);
    setActive(held.current);
    if (!handle) set(held.current, at);
  };
  const move = (event) => {
    if (held.current !== null) set(held.current, place(event));
  };
  const up = () => (held.current = null);
  const key = (event, index) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const size = event.shiftKey ? STEP * 10 : STEP;
    const [x, y] = points[index];
    set(index, [within(x + arrow[0] * size), within(y + arrow[1] * size)]);
  };
  const setNumber = (at, number) => {
    const changed = given.map((old, index) => (index === at ? number : old));
    onChange(type.type === "image_bounding_box" ? sorted(changed.slice(0, 2), changed.slice(2)) : changed);
  };
  const labels = type.type === "image_point" ? ["X", "Y"] : ["Left", "Top", "Right", "Bottom"];
  return html`
    <div class="places-control">
      <div class="board ${context.picture ? "" : "is-blank"}" ref=${board} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up}>
        ${context.picture && html`<img src=${context.picture} alt="" draggable=${false} />`}
        <${Lines} type=${type} points=${points} />
        ${points.map(
          ([x, y], index) => html`
            <button
              type="button"
              class="handle ${index === active ? "is-active" : ""}"
              data-handle=${index}
              id=${index === 0 ? id : undefined}
              style=${percent([x, y])}
              aria-label=${`${name(index)} at ${Math.round(x * 100)}%, ${Math.round(y * 100)}%; arrow keys move it`}
              title=${name(index)}
              onFocus=${() => setActive(index)}
              onKeyDown=${(event) => key(event, index)}
            ></button>
          `,
        )}
      </div>
      ${type.type !== "image_landmarks" &&
      html`<div class="row">
        ${labels.map(
          (label, at) => html`<${NumberField} label=${label} value=${given[at]} step="0.01" isStacked onTake=${(number) => setNumber(at, number)} />`,
        )}
      </div>`}
    </div>
  `;
}

// The box, or the connections between landmarks, in a drawing stretched over the picture.
export function Lines({ type, points, color }) {
  const style = color ? { color } : undefined;
  const line = ([a, b]) => html`<line x1=${a[0]} y1=${a[1]} x2=${b[0]} y2=${b[1]} />`;
  let shape = null;
  if (type.type === "image_bounding_box") {
    const [[left, top], [right, bottom]] = points;
    shape = html`<rect x=${left} y=${top} width=${Math.max(0, right - left)} height=${Math.max(0, bottom - top)} />`;
  } else if (type.connections) {
    const at = (label) => points[type.labels.indexOf(label)];
    shape = type.connections.map((pair) => line(pair.map(at)));
  }
  return html`<svg class="lines" style=${style} viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">${shape}</svg>`;
}

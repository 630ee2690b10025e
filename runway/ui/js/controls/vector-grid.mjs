// A square grid of random points; the handle between them is the vector. Anchors can show what the model makes of them.
import { call } from "../api.mjs";
import { inGrid, sample, uniform } from "../media/vectors.mjs";
import { ARROWS, bound, percent, placeIn } from "../places.mjs";
import { Button, Choice, html, useEffect, useMemo, useRef, useState } from "../parts.mjs";

const SIDES = [2, 3, 4, 5];
const STEP = 0.025; // of the side, for an arrow key
const freshSeed = () => Math.floor(Math.random() * 1e9);

export function VectorGrid({ type, onChange, context }) {
  const [seed, setSeed] = useState(freshSeed);
  const [side, setSide] = useState(3);
  const [at, setAt] = useState([0.5, 0.5]);
  const [pictures, setPictures] = useState({});
  const [isBusy, setBusy] = useState(false);
  const board = useRef(null);
  const isHeld = useRef(false);
  const abort = useRef(null);
  const mean = type.samplingMean ?? 0;
  const anchors = useMemo(() => {
    const random = uniform(seed);
    return Array.from({ length: side * side }, () => sample(type, random));
  }, [seed, side, type]);
  const picture = context.session?.command.outputs.find((one) => one.type === "image")?.name;

  useEffect(() => {
    setPictures({});
    return () => abort.current?.abort();
  }, [anchors]);

  const go = (x, y) => {
    const next = [bound(x), bound(y)];
    setAt(next);
    onChange(inGrid(anchors, side, ...next, mean));
  };
  const point = (event) => go(...placeIn(board.current, event));
  const key = (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const size = event.shiftKey ? STEP * 4 : STEP;
    go(at[0] + arrow[0] * size, at[1] + arrow[1] * size);
  };
  const preview = async () => {
    abort.current = new AbortController();
    setBusy(true);
    try {
      for (const [index, values] of anchors.entries()) {
        const inputs = context.session.inputs({ [type.name]: values });
        const outputs = await call(context.session.command.name, inputs, abort.current.signal);
        setPictures((old) => ({ ...old, [index]: outputs[picture] }));
      }
    } catch (error) {
      if (error.name !== "AbortError") context.session.fail(error);
    }
    setBusy(false);
  };
  const dot = (_, index) => {
    const style = percent([(index % side) / (side - 1), Math.floor(index / side) / (side - 1)]);
    return pictures[index]
      ? html`<img class="anchor-picture" style=${style} src=${pictures[index]} alt="" draggable=${false} />`
      : html`<span class="anchor" style=${style}></span>`;
  };
  return html`
    <div class="vector-grid" style=${{ "--side": side }}>
      <div
        class="grid-board"
        onPointerDown=${(event) => {
          board.current.setPointerCapture(event.pointerId);
          isHeld.current = true;
          point(event);
        }}
        onPointerMove=${(event) => isHeld.current && point(event)}
        onPointerUp=${() => (isHeld.current = false)}
      >
        <div class="grid-plane" ref=${board}>
          ${anchors.map(dot)}
          <button
            type="button"
            class="grid-handle"
            style=${percent(at)}
            aria-label=${`Place on the grid: ${Math.round(at[0] * 100)}%, ${Math.round(at[1] * 100)}%; arrow keys move it`}
            onKeyDown=${key}
          ></button>
        </div>
      </div>
      <div class="row">
        <${Button} icon="dice" onClick=${() => setSeed(freshSeed())}>New grid<//>
        <${Choice} label="Points" value=${side} options=${SIDES.map((one) => [one, `${one} × ${one}`])} onTake=${setSide} />
        ${picture &&
        html`<${Button} icon="image" disabled=${isBusy} onClick=${preview}>${isBusy ? "Drawing…" : "Show pictures"}<//>`}
      </div>
    </div>
  `;
}

// Cut, scale and format of a picture before it is sent.
import { bound, percent, placeIn } from "../places.mjs";
import { roundTo } from "../types.mjs";
import { Button, Choice, NumberField, html, useEffect, useRef, useState } from "../parts.mjs";

const FITS = [
  ["original", "As it is"],
  ["inside", "Shrink to fit"],
  ["cover", "Fill and cut"],
  ["stretch", "Stretch"],
];
const FORMATS = [
  ["same", "Same"],
  ["png", "PNG"],
  ["jpeg", "JPEG"],
];
const WHOLE = { x: 0, y: 0, width: 1, height: 1 };
const SMALLEST = 0.01; // a click is no crop

export function Adjust({ blob, edit, onChange }) {
  const url = useObjectUrl(blob);
  const set = (patch) => onChange({ ...edit, ...patch });
  const isSized = edit.fit !== "original";
  const length = (name, label) => html`
    <${NumberField} label=${label} value=${edit[name]} min=${1} max=${16384} isInteger isStacked onTake=${(value) => set({ [name]: value })} />
  `;
  return html`
    <div class="adjust">
      <${CropBoard} url=${url} crop=${edit.crop} onChange=${(crop) => set({ crop })} />
      <div class="row">
        <${Choice}
          label="Size"
          value=${edit.fit}
          options=${FITS}
          isStacked
          onTake=${(fit) => set({ fit, width: edit.width || 512, height: edit.height || 512 })}
        />
        ${isSized && length("width", "Width")}${isSized && length("height", "Height")}
        <${Choice} label="Send as" value=${edit.format} options=${FORMATS} isStacked onTake=${(format) => set({ format })} />
        <${Button} disabled=${!edit.crop} onClick=${() => set({ crop: null })}>Whole picture<//>
      </div>
    </div>
  `;
}

function useObjectUrl(blob) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}

function CropBoard({ url, crop, onChange }) {
  const board = useRef(null);
  const [drawn, setDrawn] = useState(null); // while the pointer is down
  const shown = drawn ?? crop ?? WHOLE;
  const start = useRef(null);
  const down = (event) => {
    board.current.setPointerCapture(event.pointerId);
    start.current = placeIn(board.current, event);
  };
  const move = (event) => {
    if (!start.current) return;
    const [x, y] = placeIn(board.current, event);
    const [x0, y0] = start.current;
    setDrawn({ x: Math.min(x, x0), y: Math.min(y, y0), width: Math.abs(x - x0), height: Math.abs(y - y0) });
  };
  const up = () => {
    start.current = null;
    if (drawn && drawn.width > SMALLEST && drawn.height > SMALLEST) onChange(drawn);
    setDrawn(null);
  };
  const side = (name, label) => html`
    <${NumberField}
      label=${`${label} %`}
      value=${roundTo(shown[name] * 100, 1)}
      min=${0}
      max=${100}
      isStacked
      onTake=${(value) => onChange(clip({ ...shown, [name]: value / 100 }))}
    />
  `;
  return html`
    <div class="crop-board" ref=${board} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up}>
      ${url && html`<img src=${url} alt="Picture to cut; drag over it to mark the part to keep" draggable=${false} />`}
      <div
        class="crop-mark"
        style=${{ ...percent([shown.x, shown.y]), width: `${shown.width * 100}%`, height: `${shown.height * 100}%` }}
      ></div>
    </div>
    <div class="row">${side("x", "Left")}${side("y", "Top")}${side("width", "Width")}${side("height", "Height")}</div>
  `;
}

function clip(crop) {
  const x = bound(crop.x, 0, 1 - SMALLEST);
  const y = bound(crop.y, 0, 1 - SMALLEST);
  return { x, y, width: bound(crop.width, SMALLEST, 1 - x), height: bound(crop.height, SMALLEST, 1 - y) };
}

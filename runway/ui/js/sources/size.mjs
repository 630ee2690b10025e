// The longer side of frames that are sent; 0 leaves them as they are.
import { html } from "../dom.mjs";

const SIDES = [0, 256, 320, 512, 640, 1024, 1280, 1920];

export function MaxSide({ value, onChange }) {
  const all = SIDES.includes(value) ? SIDES : [...SIDES, value].sort((a, b) => a - b);
  return html`
    <label class="mini inline">
      Longer side
      <select value=${String(value)} onChange=${(event) => onChange(Number(event.target.value))}>
        ${all.map((side) => html`<option value=${String(side)} selected=${side === value}>${side ? `${side} px` : "as it is"}</option>`)}
      </select>
    </label>
  `;
}

// The longer side of frames that are sent; 0 leaves them as they are.
import { Choice, html } from "../parts.mjs";

const SIDES = [0, 256, 320, 512, 640, 1024, 1280, 1920];

export function MaxSide({ value, onChange }) {
  const all = SIDES.includes(value) ? SIDES : [...SIDES, value].sort((a, b) => a - b);
  const options = all.map((side) => [side, side ? `${side} px` : "as it is"]);
  return html`<${Choice} label="Longer side" value=${value} options=${options} onTake=${onChange} />`;
}

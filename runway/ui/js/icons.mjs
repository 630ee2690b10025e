// Line icons, drawn on a 16 x 16 grid; decoration only, buttons carry their own names.
import { html } from "./dom.mjs";

const PATHS = {
  play: "M5 3.5v9l7-4.5z",
  stop: "M4.5 4.5h7v7h-7z",
  plus: "M8 3.5v9M3.5 8h9",
  minus: "M3.5 8h9",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  up: "M8 12.5v-9M4.5 7 8 3.5 11.5 7",
  down: "M8 3.5v9M4.5 9 8 12.5 11.5 9",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  image: "M2.5 3.5h11v9h-11zM2.5 10.5l3-3 3 3 2-2 3 3M10.5 6h.01",
  camera: "M2.5 5.5h2.5l1-2h4l1 2h2.5v7h-11zM8 10.8a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  film: "M2.5 3.5h11v9h-11zM5 3.5v9M11 3.5v9M2.5 8h11",
  files: "M4.5 2.5h5l3 3v8h-8zM9.5 2.5v3h3",
  network: "M8 13a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM3 8h10M8 3c-3 3-3 7 0 10M8 3c3 3 3 7 0 10",
  walk: "M2.5 11c2-6 4-6 5.500-3s3.500 3 5.500-3",
  hand: "M3 13l2.500-.5 7-7-2-2-7 7z",
  brush: "M3 13c2 0 3-.5 3-2l6.500-6.500-1.500-1.500L4.500 9.500C3 9.500 3 11 3 13z",
  fill: "M7 2.500 12.500 8 8 12.500 3 7.500zM3 7.500h9M13.500 11v2",
  eraser: "M6 12.500 2.500 9l6-6L13 7.500l-5 5zM6 12.500h7.500M5.500 6 10 10.500",
  undo: "M5.500 3.500 2.500 6.500l3 3M2.500 6.500h7a3.500 3 0 0 1 0 6h-3",
  redo: "M10.500 3.500l3 3-3 3M13.500 6.500h-7a3.500 3 0 0 0 0 6h3",
  star: "M8 2.500l1.700 3.600 3.800.5-2.800 2.700.7 3.900L8 11.300l-3.400 1.900.7-3.900L2.500 6.600l3.800-.5z",
  dice: "M3 3h10v10H3zM5.800 5.800h.01M10.200 5.800h.01M8 8h.01M5.800 10.200h.01M10.200 10.200h.01",
  crop: "M4.500 1.500v10h10M1.500 4.500h10v10",
  sun: "M8 10.700a2.700 2.700 0 1 0 0-5.400 2.700 2.700 0 0 0 0 5.400zM8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M12.600 3.400l-1 1M4.400 11.600l-1 1",
  moon: "M13 9.500A5.500 5.500 0 1 1 6.500 3a4.500 4.500 0 0 0 6.500 6.500z",
  code: "M5.500 4.500 2 8l3.500 3.500M10.500 4.500 14 8l-3.500 3.500",
  download: "M8 2.500v8M4.500 7 8 10.500 11.500 7M3 13.500h10",
  info: "M8 13.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11zM8 7.500v3.200M8 5.300h.01",
  warn: "M8 2.500 14 13H2zM8 6.500v3M8 11.200h.01",
  trash: "M3 4.500h10M6.500 4.500v-2h3v2M4.500 4.500l.5 9h6l.5-9",
  compare: "M8 1.500v13M2.500 4h3.500v8H2.500zM10 4h3.500v8H10",
  record: "M8 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z",
  gear: "M3 4.500h10M3 11.500h10M6 4.500m-1.500 0a1.500 1.500 0 1 0 3 0 1.500 1.500 0 1 0-3 0M10 11.500m-1.500 0a1.500 1.500 0 1 0 3 0 1.500 1.500 0 1 0-3 0",
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>
`;

// A button that shows only an icon; its name is read out and shown on hover.
export const IconButton = ({ icon, label, class: extra = "", ...rest }) => html`
  <button type="button" class=${`icon-button ${extra}`} aria-label=${label} title=${label} ...${rest}>
    <${Icon} name=${icon} />
  </button>
`;

// Preact, its hooks and htm's templates: the one place that names the vendored files.
import { Fragment, h, render } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export const html = htm.bind(h);
export { Fragment, render };
export { useEffect, useMemo, useRef, useState } from "../vendor/hooks.mjs";

// How far a run is.
import { html, useEffect, useState } from "./dom.mjs";

export function Progress({ run, label }) {
  const isKnown = run.progress !== null;
  return html`
    <div class="progress-row">
      <progress aria-label=${label} max="1" value=${isKnown ? run.progress : undefined}></progress>
      <span class="muted" role="status">${run.total ? `${run.done} / ${run.total}` : run.done || ""}${run.fps ? `, ${run.fps.toFixed(1)} a second` : ""}</span>
    </div>
  `;
}

// Seconds since `began`, counting.
export function Elapsed({ began }) {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 200);
    return () => clearInterval(timer);
  }, []);
  return html`<span>${Math.max(0, (now - began) / 1000).toFixed(1)} s</span>`;
}

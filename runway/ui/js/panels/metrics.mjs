// Workers, devices, queue and latency, small, at the foot of the page. What a server does not tell is left out.
import { ask, text } from "../api.mjs";
import { formatMs } from "../outputs/card.mjs";
import { model, refreshStatus } from "../model.mjs";
import { html, useEffect, useState, useStore } from "../parts.mjs";

const EVERY_MS = 2000;
const ROUTES = document.documentElement.dataset.routes.split(" "); // `runway.run()` has fewer than a server

export function Footer({ session }) {
  const { meta, status } = useStore(model);
  const [figures, setFigures] = useState({});
  useEffect(() => {
    let isGone = false;
    const look = async () => {
      if (document.hidden || isGone) return;
      const found = {};
      for (const [path, read] of SOURCES) {
        if (ROUTES.includes(path)) Object.assign(found, await read(path).catch(() => ({})));
      }
      if (!isGone) setFigures(found);
      await refreshStatus();
    };
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => {
      isGone = true;
      clearInterval(timer);
    };
  }, []);
  return html`
    <footer class="foot">
      <ul>
        <li><span class=${`status-dot is-${status.toLowerCase()}`}></span>${STATUS[status] ?? status}</li>
        ${figures.workers !== undefined && html`<li>${plural(figures.workers, "worker")}${figures.wanted > figures.workers ? ` of ${figures.wanted}` : ""}</li>`}
        ${figures.devices?.length > 0 && html`<li>${figures.devices.join(", ")}</li>`}
        ${!figures.devices?.length && html`<li>${meta.GPU ? "GPU" : "CPU"}</li>`}
        ${figures.queued !== undefined && html`<li>${figures.queued} queued</li>`}
        ${figures.running !== undefined && html`<li>${figures.running} running</li>`}
        ${session && html`<${Latency} session=${session} />`}
        <li class="push">SDK ${meta.modelSDKVersion}</li>
      </ul>
    </footer>
  `;
}

function Latency({ session }) {
  const { latencies } = useStore(session.store);
  if (!latencies.length) return null;
  const ordered = [...latencies].sort((a, b) => a - b);
  const at = (part) => formatMs(ordered[Math.min(ordered.length - 1, Math.floor(part * ordered.length))]);
  return html`<li title=${`of the last ${plural(ordered.length, "run")} from this page`}>median ${at(0.5)}, 95th percentile ${at(0.95)}</li>`;
}

const STATUS = { RUNNING: "Running", STARTING: "Starting", UNREACHABLE: "Not reachable", UNKNOWN: "Connecting" };
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

const SOURCES = [
  [
    "ready",
    async (path) => {
      const ready = await ask(path, { quiet: true });
      return { workers: ready.workers, wanted: ready.workers_wanted, queued: ready.queued, running: ready.running };
    },
  ],
  [
    "metrics",
    async (path) => {
      const living = /^runway_worker_state\{device="(.*?)",state="(?:starting|loaded|ready|lost)",.*\} 1/gm;
      const found = [...((await text(path)) ?? "").matchAll(living)];
      return { devices: [...new Set(found.map(([, device]) => device))] };
    },
  ],
];

// Workers, devices, queue and latency at the foot of the page. What a server does not tell is left out.
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
		const look = async () => {
			if (document.hidden) return;
			const found = {};
			for (const route of ROUTES) Object.assign(found, await READERS[route]?.().catch(() => ({})));
			setFigures(found);
			await refreshStatus();
		};
		look();
		const timer = setInterval(look, EVERY_MS);
		return () => clearInterval(timer);
	}, []);
	const { workers, wanted, devices = [], queued, running } = figures;
	const told = [
		workers !== undefined && plural(workers, "worker") + (wanted > workers ? ` of ${wanted}` : ""),
		devices.join(", ") || (meta.GPU ? "GPU" : "CPU"),
		queued !== undefined && `${queued} queued`,
		running !== undefined && `${running} running`,
	];
	return html`<footer class="foot">
		<ul>
			<li><span class="status-dot is-${status.toLowerCase()}"></span>${STATUS[status] ?? status}</li>
			${told.filter(Boolean).map((text) => html`<li>${text}</li>`)}
			${session && html`<${Latency} session=${session} />`}
			<li class="push">SDK ${meta.modelSDKVersion}</li>
		</ul>
	</footer>`;
}

function Latency({ session }) {
	const ordered = useStore(session).history.map(({ ms }) => ms).sort((a, b) => a - b);
	if (!ordered.length) return null;
	const at = (part) => formatMs(ordered[Math.floor(part * ordered.length)]);
	return html`<li title="of the last ${plural(ordered.length, "run")} in the history">median ${at(0.5)}, 95th percentile ${at(0.95)}</li>`;
}

const STATUS = { RUNNING: "Running", STARTING: "Starting", UNREACHABLE: "Not reachable", UNKNOWN: "Connecting" };
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

const READERS = {
	async ready() {
		const { workers, workers_wanted: wanted, queued, running } = await ask("ready", { isQuiet: true });
		return { workers, wanted, queued, running };
	},
	async metrics() {
		const living = /^runway_worker_state\{device="(.*?)",state="(?:starting|loaded|ready|lost)",.*\} 1/gm;
		const found = [...((await text("metrics")) ?? "").matchAll(living)];
		return { devices: [...new Set(found.map(([, device]) => device))] };
	},
};

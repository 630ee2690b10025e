// The last request that reached this model through its API, as it comes.
import { addressOf, connect } from "../api.mjs";
import { makeEntry } from "../history.mjs";
import { Icon, html, useEffect, useRef, useState } from "../parts.mjs";

const RETRY_MS = 2000;

export function NetworkSource({ session }) {
	const { name } = session.command;
	const [state, setState] = useState("Connecting…");
	const [seen, setSeen] = useState(null); // {at, count, isTooLarge}
	const first = useRef(null); // number of the first call seen

	useEffect(() => {
		let [socket, timer, isGone] = [null, null, false];
		const open = () => {
			socket = connect("ui/watch", { command: name });
			socket.addEventListener("open", () => setState(html`Waiting for a request. Send one to <code>${addressOf(name)}</code>`));
			socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
			socket.addEventListener("close", () => {
				if (isGone) return;
				setState("The connection was lost; trying again.");
				timer = setTimeout(open, RETRY_MS);
			});
		};
		const hear = (message) => {
			first.current ??= message.number;
			setSeen({ at: new Date(), count: message.number - first.current + 1, isTooLarge: message.isTooLarge });
			session.setValues(message.inputs ?? {}, { isFrame: true });
			if (message.outputs) session.set({ shown: makeEntry({ ...message, ms: message.ms ?? 0, label: "network" }) });
			requestAnimationFrame(() => socket.readyState === WebSocket.OPEN && socket.send("next"));
		};
		open();
		return () => {
			clearTimeout(timer);
			isGone = true;
			socket.close();
		};
	}, [session]);

	const told = () => html`
		<strong>${seen.count} ${seen.count === 1 ? "request" : "requests"} seen</strong>, the last at ${seen.at.toLocaleTimeString()}.
		${seen.isTooLarge ? " It is too large to be shown." : ""}
	`;
	return html`<div class="network-source">
		<p class="notice" role="status"><${Icon} name="network" /><span>${seen ? told() : state}</span></p>
	</div>`;
}

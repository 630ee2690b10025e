// Commands over the WebSocket: outputs as they come, progress, cancel. One socket for all jobs of the page.
import { ApiError, connect, errorOf } from "./api.mjs";
import { token } from "./token.mjs";

const MAX_MESSAGE = 8_000_000; // characters; servers refuse longer messages, HTTP takes them
const OPEN_TIMEOUT_MS = 4000;

let socket = null;
let barredWith = null; // the token with which it did not open: a proxy may be in the way
const jobs = new Map();

// randomUUID is missing where the page is not secure.
const jobId = () => `ui-${crypto.getRandomValues(new BigUint64Array(2)).join("-")}`;

function open() {
	if (socket && socket.readyState <= WebSocket.OPEN) return socket.opened;
	const mine = connect("");
	mine.opened = new Promise((resolve) => {
		setTimeout(resolve, OPEN_TIMEOUT_MS, false);
		mine.addEventListener("open", () => resolve(true));
		mine.addEventListener("close", () => resolve(false));
	});
	mine.addEventListener("message", (event) => hear(JSON.parse(event.data)));
	mine.addEventListener("close", () => {
		for (const job of jobs.values()) job.fail(new ApiError("The connection to the server was lost."));
		jobs.clear();
		if (socket === mine) socket = null;
	});
	socket = mine;
	return mine.opened;
}

function hear(message) {
	const job = jobs.get(message.id);
	if (!job) return;
	if (message.type === "output") job.onOutput(message.outputData, message.progress);
	if (message.type === "succeeded") job.succeed(message.timeElapsed);
	if (message.type === "failed") job.fail(errorOf(message, 0));
	if (["succeeded", "failed", "cancelled"].includes(message.type)) jobs.delete(message.id);
}

// Whether a command can be sent this way. False once the socket did not open.
export async function canStream(size) {
	if (barredWith === token.value() || size > MAX_MESSAGE) return false;
	if (await open()) return true;
	barredWith = token.value();
	return false;
}

// Resolves at the job's end; rejects with an `ApiError`, or an AbortError after `signal`.
export function stream(command, inputs, { signal, onOutput }) {
	return new Promise((resolve, reject) => {
		const id = jobId();
		const stop = () => {
			jobs.delete(id);
			if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "cancel", id }));
			reject(signal.reason);
		};
		jobs.set(id, { onOutput, succeed: resolve, fail: reject });
		signal.addEventListener("abort", stop, { once: true });
		socket.send(JSON.stringify({ type: "submit", command, inputData: inputs, id }));
	});
}

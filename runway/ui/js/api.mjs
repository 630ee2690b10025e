// The model over HTTP. Addresses are relative to the page, which may stand below any path of a proxy.
import { token } from "./token.mjs";

export const ROOT = new URL("../../", import.meta.url);

// What went wrong, in the server's words.
export class ApiError extends Error {
	constructor(message, status = 0, traceback = []) {
		super(message);
		Object.assign(this, { status, traceback });
	}
}

export function errorOf(body, status) {
	const message = typeof body?.error === "string" ? body.error : `The server answered ${status}.`;
	return new ApiError(message, status, body?.traceback);
}

// JSON of an answer; asks for the token as often as the server says 401.
export async function ask(path, { isQuiet, ...options } = {}) {
	const response = await send(path, options);
	if (response.ok) return response.json();
	if (response.status !== 401 || isQuiet) throw errorOf(await response.json().catch(() => null), response.status);
	await token.askFor();
	return ask(path, options);
}

export async function text(path) {
	const response = await send(path);
	return response.ok ? response.text() : null;
}

async function send(path, { json, body = json && JSON.stringify(json), signal } = {}) {
	const headers = { ...token.headers(), ...(body && { "Content-Type": "application/json" }) };
	try {
		return await fetch(new URL(path, ROOT), { method: body ? "POST" : "GET", headers, body, signal, cache: "no-store" });
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new ApiError("The server does not answer. Is it still running?");
	}
}

// A WebSocket of the server, with the token.
export function connect(path, query = {}) {
	const address = new URL(path, ROOT);
	address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
	address.search = new URLSearchParams(query);
	return new WebSocket(address, token.protocols());
}

// Path on the server of an uploaded file; `unpack` makes it the folder in a tar archive.
export async function upload(blob, name, unpack) {
	const query = new URLSearchParams({ name, ...(unpack && { unpack: "1" }) });
	return (await ask(`ui/files?${query}`, { body: blob })).path;
}

export const addressOf = (command) => new URL(encodeURIComponent(command), ROOT).href;

export const call = (command, inputs, signal) => ask(addressOf(command), { json: inputs, signal });

// The model as the page knows it: manifest, status, setup, and a session for each command.
import { ask } from "./api.mjs";
import { made } from "./making.mjs";
import { addressOf, keepLarge, readAddress, recallAll } from "./memory.mjs";
import { Session } from "./session.mjs";
import { atMost, createStore } from "./store.mjs";
import { failureOf, firstValues, given } from "./types.mjs";

const RETRY_MS = 1000;
const ADDRESS_EVERY_MS = 250; // browsers refuse more than some 100 changes of the address in half a minute
export const SETUP = "setup view"; // no command may hold two words and be taken for it: see `viewName`

const FRESH = { isRunning: false, began: 0, failure: null, errors: {}, isDone: false };

export const model = createStore({
	meta: null,
	status: "UNKNOWN",
	problem: null,
	view: null,
	options: {},
	setup: FRESH,
});

const sessions = new Map();
const start = readAddress();

// In the address a command stands with a slash before its name, so that one called "setup" is no view.
const addressName = (view) => (view === SETUP ? "setup" : `run/${view}`);
const viewName = (name) => (name.startsWith("run/") ? name.slice(4) : SETUP);

export function session(name) {
	if (!sessions.has(name)) {
		const command = model.get().meta.commands.find((one) => one.name === name);
		const fresh = new Session(command, start.view === addressName(name) ? start.values : {});
		fresh.follow(writeAddressSoon);
		sessions.set(name, fresh);
	}
	return sessions.get(name);
}

export async function load() {
	for (;;) {
		try {
			const meta = await ask("meta");
			const { status } = await ask("healthcheck");
			const first = meta.commands[0]?.name ?? SETUP;
			const options = await startOptions(meta.options);
			model.set({ meta, status, options, problem: null, view: startView(meta) ?? (status === "RUNNING" ? first : SETUP) });
			return;
		} catch (error) {
			model.set({ problem: error.message });
			await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
		}
	}
}

function startView(meta) {
	const view = start.view && viewName(start.view);
	return view === SETUP || meta.commands.some((command) => command.name === view) ? view : null;
}

async function startOptions(types) {
	const kept = await recallAll(SETUP, types);
	return { ...firstValues(types), ...kept, ...(viewName(start.view) === SETUP ? start.values : {}) };
}

export function show(view) {
	model.set({ view });
	writeAddressSoon();
}

export function setOption(name, value) {
	model.set(({ options, setup }) => ({
		options: { ...options, [name]: value },
		setup: { ...setup, errors: { ...setup.errors, [name]: undefined }, isDone: false },
	}));
	keepLarge(SETUP, name, value);
	writeAddressSoon();
}

export async function setUp() {
	model.set({ setup: { ...FRESH, isRunning: true, began: performance.now() } });
	await made();
	const { options, meta } = model.get();
	const told = await ask("setup", { json: given(meta.options, options) }).then(() => ({ isDone: true }), (error) => failureOf(error, meta.options));
	model.set({ setup: { ...FRESH, ...told } });
	await refreshStatus();
	if (told.isDone && meta.commands.length) show(meta.commands[0].name);
}

export async function refreshStatus() {
	try {
		model.set({ status: (await ask("healthcheck", { isQuiet: true })).status });
	} catch {
		model.set({ status: "UNREACHABLE" });
	}
}

// An address that somebody typed or went back to; our own writing of it does not come here.
addEventListener("hashchange", () => location.reload());

const writeAddressSoon = atMost(() => {
	const { view, options } = model.get();
	const state = view === SETUP ? null : session(view).get();
	const values = state ? { ...state.values, "~source": state.source } : options;
	history.replaceState(null, "", addressOf(addressName(view), values));
}, ADDRESS_EVERY_MS);

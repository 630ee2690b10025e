// One command at work: its inputs, the run under way, its results. Views only show and call it.
import { ApiError, call } from "./api.mjs";
import { makeEntry, remember } from "./history.mjs";
import { canStream, stream } from "./jobs.mjs";
import { keepLarge, recallAll } from "./memory.mjs";
import { createStore } from "./store.mjs";
import { WANTED, failureOf, firstValues, isRequired, ofKind } from "./types.mjs";

const MAX_FRAMES = 300; // yields of one stream that are kept for export
const MAX_LATENCIES = 100;
const FPS_WEIGHT = 0.2; // of the newest frame in the shown average
const KEEP_AFTER_MS = 400; // typing should not write the database at every key

const declared = ({ inputs }, given) => Object.fromEntries(inputs.filter(({ name }) => name in given).map(({ name }) => [name, given[name]]));

export class Session {
	abort = null;
	isStale = false;
	timers = {};

	constructor(command, given = {}) {
		this.command = command;
		Object.assign(this, createStore({
			values: { ...firstValues(command.inputs), ...declared(command, given) },
			errors: {},
			failure: null,
			run: null, // {kind, began, progress, done, total, fps, failed}
			shown: null,
			history: [],
			limit: 100,
			isLive: false,
			source: given["~source"] ?? "hand",
			feed: ofKind(command.inputs, "image")[0]?.name ?? null,
			latencies: [],
			onEntry: null, // a recorder that wants every result
			batchReport: null,
		}));
		this.restore(given);
	}

	async restore(given) {
		const found = await recallAll(this.command.name, this.command.inputs.filter((type) => !(type.name in given)));
		if (Object.keys(found).length) this.set(({ values }) => ({ values: { ...values, ...found } }));
	}

	setValue(name, value, { isFrame = false } = {}) {
		this.set(({ values, errors }) => ({ values: { ...values, [name]: value }, errors: { ...errors, [name]: undefined } }));
		if (this.get().isLive) this.refresh();
		if (isFrame) return;
		clearTimeout(this.timers[name]);
		this.timers[name] = setTimeout(() => keepLarge(this.command.name, name, value), KEEP_AFTER_MS);
	}

	setValues(values, options) {
		for (const [name, value] of Object.entries(declared(this.command, values))) this.setValue(name, value, options);
	}

	// Inputs as they are sent: values not given stay away.
	inputs(extra = {}) {
		const all = { ...this.get().values, ...extra };
		const given = this.command.inputs.map((type) => [type.name, all[type.name]]);
		return Object.fromEntries(given.filter(([, value]) => value !== undefined && value !== null));
	}

	lacking(inputs) {
		return this.command.inputs.filter((type) => isRequired(type) && inputs[type.name] === undefined);
	}

	// A run by hand, shown as it comes.
	async run() {
		const inputs = this.inputs();
		if (!this.begin("one", inputs)) return;
		try {
			this.add(await this.answer(inputs));
		} catch (error) {
			this.fail(error);
		} finally {
			this.end();
		}
	}

	async answer(inputs) {
		const began = performance.now();
		const { signal } = this.abort;
		const { name } = this.command;
		const size = Object.values(inputs).reduce((sum, value) => sum + (value.length ?? 16), 0);
		if (!(await canStream(size))) return this.post(inputs, signal);
		const frames = [];
		const onOutput = (outputs, progress) => {
			if (frames.length < MAX_FRAMES) frames.push(outputs);
			else frames[MAX_FRAMES - 1] = outputs;
			const partial = makeEntry({ inputs, outputs, ms: performance.now() - began });
			this.set(({ run }) => ({ shown: partial, run: { ...run, progress: progress ?? null, done: frames.length } }));
		};
		await stream(name, inputs, { signal, onOutput });
		if (!frames.length) throw new ApiError(`${name} ended without an output.`);
		const ms = performance.now() - began;
		return { inputs, outputs: frames.at(-1), ms, frames: frames.length > 1 ? frames : [] };
	}

	// Runs at every change of a value, one at a time; the newest values win.
	async refresh() {
		this.isStale = true;
		if (this.get().run) return;
		while (this.isStale && this.get().isLive && !this.get().failure) {
			this.isStale = false;
			await this.run();
		}
		this.isStale = false;
	}

	setLive(isLive) {
		this.set({ isLive, failure: null });
		if (isLive) this.refresh();
	}

	// Calls with what `next` gives, `{values, label}` or null at the end, one in flight, until `stop`.
	async loop(next, total = null) {
		if (!this.begin("loop", null, total)) return;
		this.set(({ limit }) => ({ limit: Math.max(limit, total) }));
		let last = performance.now();
		try {
			const { signal } = this.abort;
			for (let step; !signal.aborted && (step = await next()); ) {
				await this.once(this.inputs(step.values), signal, step.label);
				const now = performance.now();
				const fps = 1000 / (now - last);
				last = now;
				this.count((run) => ({ fps: run.fps ? run.fps + FPS_WEIGHT * (fps - run.fps) : fps }));
			}
		} catch (error) {
			this.fail(error);
		} finally {
			this.end();
		}
	}

	// Every item once, several in flight; a bad one is listed and the others go on.
	async batch(items, parallel) {
		if (!this.begin("batch", null, items.length)) return;
		this.set(({ limit }) => ({ limit: Math.max(limit, items.length) }));
		const { signal } = this.abort;
		const waiting = [...items];
		const work = async () => {
			for (let item; !signal.aborted && (item = waiting.shift()); ) await this.batchItem(item, signal);
		};
		await Promise.all(Array.from({ length: parallel }, work));
		const { run } = this.get();
		this.end();
		this.set({ batchReport: run });
	}

	async batchItem(item, signal) {
		const { label } = item;
		try {
			await this.once(this.inputs(await item.values()), signal, label);
			this.count();
		} catch (error) {
			if (error.name !== "AbortError") this.count(({ failed }) => ({ failed: [...failed, { label, message: error.message }] }));
		}
	}

	// One more call of a loop or a batch is done; `patch` gives what else changes in the run.
	count(patch = () => ({})) {
		this.set(({ run }) => {
			const done = run.done + 1;
			return { run: { ...run, done, progress: run.total ? done / run.total : null, ...patch(run) } };
		});
	}

	// A call of a loop or a batch.
	async once(inputs, signal, label) {
		const [type] = this.lacking(inputs);
		if (type) throw new ApiError(`Missing input: ${type.name}.`);
		this.add({ ...(await this.post(inputs, signal)), label });
	}

	async post(inputs, signal) {
		const began = performance.now();
		const outputs = await call(this.command.name, inputs, signal);
		return { inputs, outputs, ms: performance.now() - began };
	}

	begin(kind, inputs, total = null) {
		if (this.get().run) return false;
		const lacking = inputs ? this.lacking(inputs) : [];
		const errors = Object.fromEntries(lacking.map(({ name, type }) => [name, WANTED[type] ?? "A value is needed."]));
		this.set({ errors, failure: null, batchReport: null });
		if (lacking.length) return false;
		this.abort = new AbortController();
		this.set({ run: { kind, began: performance.now(), progress: null, done: 0, total, fps: null, failed: [] } });
		return true;
	}

	add(result) {
		const entry = makeEntry(result);
		this.set(({ history, limit, latencies }) => ({
			shown: entry,
			history: remember(history, entry, limit),
			latencies: [...latencies.slice(1 - MAX_LATENCIES), entry.ms],
		}));
		this.get().onEntry?.(entry);
	}

	fail(error) {
		if (error.name === "AbortError") return;
		const { failure, errors } = failureOf(error, this.command.inputs);
		this.set((state) => ({ failure, errors: { ...state.errors, ...errors } }));
	}

	end() {
		this.abort = null;
		this.set({ run: null });
	}

	stop = () => this.abort?.abort();

	show = (entry) => this.set({ shown: entry });
}

// One command at work: its inputs, the run under way, its results. Views only show and call it.
import { ApiError, call } from "./api.mjs";
import { makeEntry, remember, weigh } from "./history.mjs";
import { canStream, stream } from "./jobs.mjs";
import { made, making } from "./making.mjs";
import { keepLarge, recallAll } from "./memory.mjs";
import { createStore } from "./store.mjs";
import { WANTED, failureOf, firstValues, given, isRequired, ofKind } from "./types.mjs";

const MAX_FRAMES = 300; // yields of one stream that are kept for export
const FPS_WEIGHT = 0.2; // of the newest frame in the shown average

const declared = ({ inputs }, values) => Object.fromEntries(inputs.filter(({ name }) => name in values).map(({ name }) => [name, values[name]]));

export class Session {
	abort = null;
	isStale = false;

	constructor(command, start) {
		this.command = command;
		Object.assign(this, createStore({
			values: { ...firstValues(command.inputs), ...declared(command, start) },
			errors: {},
			failure: null,
			run: null, // {kind, began, progress, done, total, fps, failed}
			shown: null,
			history: [],
			limit: 100,
			isLive: false,
			source: start["~source"] ?? "hand",
			feed: ofKind(command.inputs, "image")[0]?.name ?? null,
			onEntry: null, // a recorder that wants every result
			batchReport: null,
		}));
		making(async () => this.setValues({ ...(await recallAll(command.name, command.inputs)), ...start }));
	}

	setValue(name, value, { isFrame = false } = {}) {
		this.set(({ values, errors }) => ({ values: { ...values, [name]: value }, errors: { ...errors, [name]: undefined } }));
		if (this.get().isLive) this.refresh();
		if (!isFrame) keepLarge(this.command.name, name, value);
	}

	setValues(values, options) {
		for (const [name, value] of Object.entries(declared(this.command, values))) this.setValue(name, value, options);
	}

	// With `extra` in the place of what is set.
	inputs = (extra) => given(this.command.inputs, { ...this.get().values, ...extra });

	// A run by hand, shown as it comes.
	run() {
		return this.work("one", null, async (signal) => {
			const inputs = this.inputs();
			const lacking = this.command.inputs.filter((type) => isRequired(type) && !(type.name in inputs));
			this.set({ errors: Object.fromEntries(lacking.map(({ name, type }) => [name, WANTED[type] ?? "A value is needed."])) });
			if (!lacking.length) this.add(await this.answer(inputs, signal));
		});
	}

	// One thing at a time, with the values that are there once all are made.
	async work(kind, total, use) {
		if (this.get().run) return;
		this.abort = new AbortController();
		const { signal } = this.abort;
		const run = { kind, began: performance.now(), progress: null, done: 0, total, failed: [] };
		this.set(({ limit }) => ({ run, errors: {}, failure: null, batchReport: null, limit: Math.max(limit, total) }));
		try {
			await made(signal);
			await use(signal);
		} catch (error) {
			this.fail(error);
		}
		this.abort = null;
		this.set({ run: null });
	}

	async answer(inputs, signal) {
		const began = performance.now();
		const { name } = this.command;
		if (!(await canStream(weigh(inputs)))) return this.post(inputs, signal);
		signal.throwIfAborted();
		const frames = [];
		const onOutput = (outputs, progress) => {
			frames[Math.min(frames.length, MAX_FRAMES - 1)] = outputs;
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
	}

	setLive(isLive) {
		this.set({ isLive, failure: null });
		if (isLive) this.refresh();
	}

	// Calls with what `next` gives, `{values, label}` or null at the end, one in flight, until `stop`.
	loop(next, total = null) {
		return this.work("loop", total, async (signal) => {
			let last = performance.now();
			for (let step; !signal.aborted && (step = await next()); ) {
				await this.once(this.inputs(step.values), signal, step.label);
				const now = performance.now();
				const fps = 1000 / (now - last);
				last = now;
				this.count(({ fps: before = fps }) => ({ fps: before + FPS_WEIGHT * (fps - before) }));
			}
		});
	}

	// Every item once, several in flight; a bad one is listed and the others go on.
	batch(items, parallel) {
		return this.work("batch", items.length, async (signal) => {
			const waiting = [...items];
			const lane = async () => {
				for (let item; !signal.aborted && (item = waiting.shift()); ) await this.batchItem(item, signal);
			};
			await Promise.all(Array.from({ length: parallel }, lane));
			this.set(({ run }) => ({ batchReport: run }));
		});
	}

	async batchItem({ label, values }, signal) {
		const bad = [];
		try {
			await this.once(this.inputs(await values()), signal, label);
		} catch (error) {
			if (error.name === "AbortError") return;
			bad.push({ label, message: error.message });
		}
		this.count(({ failed }) => ({ failed: [...failed, ...bad] }));
	}

	// One more call of a loop or a batch is done; `patch` gives what else changes in the run.
	count(patch) {
		this.set(({ run }) => {
			const done = run.done + 1;
			return { run: { ...run, done, progress: run.total && done / run.total, ...patch(run) } };
		});
	}

	// A call of a loop or a batch.
	async once(inputs, signal, label) {
		this.add({ ...(await this.post(inputs, signal)), label });
	}

	async post(inputs, signal) {
		const began = performance.now();
		const outputs = await call(this.command.name, inputs, signal);
		return { inputs, outputs, ms: performance.now() - began };
	}

	add(result) {
		const entry = makeEntry(result);
		this.set(({ history, limit }) => ({ shown: entry, history: remember(history, entry, limit) }));
		this.get().onEntry?.(entry);
	}

	fail(error) {
		if (error.name === "AbortError") return;
		const { failure, errors } = failureOf(error, this.command.inputs);
		this.set((state) => ({ failure, errors: { ...state.errors, ...errors } }));
	}

	stop = () => this.abort?.abort();
}

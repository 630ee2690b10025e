// One command at work: its input values, the run under way, its results. Views only show and call it.
import { ApiError, call } from "./api.mjs";
import { makeEntry, remember } from "./history.mjs";
import { canStream, stream } from "./jobs.mjs";
import { forget, isLarge, keep, recall } from "./memory.mjs";
import { createStore } from "./store.mjs";
import { WANTED, fieldOf, firstValues, isRequired } from "./types.mjs";

const MAX_FRAMES = 300; // yields of one stream that are kept for export
const MAX_LATENCIES = 100;
const FPS_WEIGHT = 0.2; // of the newest frame in the shown average
const KEEP_AFTER_MS = 400; // typing should not write the database at every key

function declared(command, given) {
  const names = command.inputs.map((type) => type.name).filter((name) => name in given);
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}

export class Session {
  constructor(command, given = {}) {
    this.command = command;
    this.store = createStore({
      values: { ...firstValues(command.inputs), ...declared(command, given) },
      errors: {},
      failure: null,
      run: null, // {kind, began, progress, done, total, fps, failed}
      shown: null,
      history: [],
      limit: 100,
      isLive: false,
      source: given["~source"] ?? "hand",
      feed: command.inputs.find((type) => type.type === "image")?.name ?? null,
      latencies: [],
      onEntry: null, // a recorder that wants every result
      batchReport: null,
    });
    this.abort = null;
    this.isStale = false;
    this.timers = {};
    this.restored = this.restore(given);
  }

  get = () => this.store.get();

  async restore(given) {
    const found = {};
    for (const type of this.command.inputs) {
      if (type.name in given) continue;
      const value = await recall(this.key(type.name));
      if (value !== undefined) found[type.name] = value;
    }
    if (Object.keys(found).length) this.store.set(({ values }) => ({ values: { ...values, ...found } }));
  }

  key = (name) => `${this.command.name}/${name}`;

  setValue(name, value, { isFrame = false } = {}) {
    this.store.set(({ values, errors }) => ({
      values: { ...values, [name]: value },
      errors: { ...errors, [name]: undefined },
    }));
    if (!isFrame) this.keepSoon(name, value);
    if (this.get().isLive) this.refresh();
  }

  keepSoon(name, value) {
    clearTimeout(this.timers[name]);
    const write = () => (isLarge(value) ? keep(this.key(name), value) : forget(this.key(name)));
    this.timers[name] = setTimeout(write, KEEP_AFTER_MS);
  }

  setValues(values) {
    for (const type of this.command.inputs) {
      if (type.name in values) this.setValue(type.name, values[type.name]);
    }
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
      this.add(await this.answer(inputs), true);
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
    if (!(await canStream(size))) {
      const outputs = await call(name, inputs, signal);
      return { inputs, outputs, ms: performance.now() - began };
    }
    const frames = [];
    const onOutput = (outputs, progress) => {
      if (frames.length < MAX_FRAMES) frames.push(outputs);
      else frames[MAX_FRAMES - 1] = outputs;
      const partial = makeEntry({ inputs, outputs, ms: performance.now() - began, frames: [] });
      this.store.set(({ run }) => ({ shown: partial, run: { ...run, progress: progress ?? null, done: frames.length } }));
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
    this.store.set({ isLive, failure: null });
    if (isLive) this.refresh();
  }

  // Calls with what `next` gives, `{values, label}` or null at the end, one in flight, until `stop`.
  async loop(next, total = null) {
    if (!this.begin("loop", null, total)) return;
    let last = performance.now();
    try {
      for (let step; !this.abort.signal.aborted && (step = await next(this.abort.signal)); ) {
        await this.once(this.inputs(step.values), this.abort.signal, step.label);
        const now = performance.now();
        const fps = 1000 / (now - last);
        last = now;
        this.store.set(({ run }) => ({
          run: {
            ...run,
            done: run.done + 1,
            progress: total ? (run.done + 1) / total : null,
            fps: run.fps ? run.fps + FPS_WEIGHT * (fps - run.fps) : fps,
          },
        }));
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
    this.store.set(({ limit }) => ({ limit: Math.max(limit, items.length) }));
    const { signal } = this.abort;
    const waiting = [...items];
    const work = async () => {
      for (let item; !signal.aborted && (item = waiting.shift()); ) await this.batchItem(item, signal);
    };
    await Promise.all(Array.from({ length: parallel }, work));
    this.end({ keepsCount: true });
  }

  async batchItem(item, signal) {
    let failed = null;
    try {
      await this.once(this.inputs(await item.values()), signal, item.label);
    } catch (error) {
      if (error.name === "AbortError") return;
      failed = { label: item.label, message: error.message };
    }
    this.store.set(({ run }) => ({
      run: {
        ...run,
        done: run.done + 1,
        progress: (run.done + 1) / run.total,
        failed: failed ? [...run.failed, failed] : run.failed,
      },
    }));
  }

  // One call of a loop or a batch.
  async once(inputs, signal, label) {
    const [type] = this.lacking(inputs);
    if (type) throw new ApiError(`Missing input: ${type.name}.`);
    const began = performance.now();
    const outputs = await call(this.command.name, inputs, signal);
    this.add({ inputs, outputs, ms: performance.now() - began, label });
  }

  begin(kind, inputs, total = null) {
    if (this.get().run) return false;
    const errors = {};
    for (const type of inputs ? this.lacking(inputs) : []) errors[type.name] = WANTED[type.type] ?? "A value is needed.";
    this.store.set({ errors, failure: null, batchReport: null });
    if (Object.keys(errors).length) return false;
    this.abort = new AbortController();
    this.store.set({ run: { kind, began: performance.now(), progress: null, done: 0, total, fps: null, failed: [] } });
    return true;
  }

  add(result) {
    const entry = makeEntry(result);
    this.store.set(({ history, limit, latencies }) => ({
      shown: entry,
      history: remember(history, entry, limit),
      latencies: [...latencies.slice(1 - MAX_LATENCIES), entry.ms],
    }));
    this.get().onEntry?.(entry);
  }

  fail(error) {
    if (error.name === "AbortError") return;
    const field = fieldOf(error.message, this.command.inputs);
    if (field) this.store.set(({ errors }) => ({ errors: { ...errors, [field]: error.message } }));
    this.store.set({ failure: { message: error.message, traceback: error.traceback ?? [], field } });
  }

  end({ keepsCount = false } = {}) {
    const { run } = this.get();
    this.abort = null;
    this.store.set({ run: null, batchReport: keepsCount ? run : null });
  }

  stop() {
    this.abort?.abort();
  }

  show(entry) {
    this.store.set({ shown: entry });
  }
}

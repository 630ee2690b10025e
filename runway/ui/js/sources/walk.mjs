// A walk through a latent space: from one random point to the next, in even steps.
import { html, useEffect, useRef, useState } from "../dom.mjs";
import { Icon } from "../icons.mjs";
import { blend, sample } from "../media/vectors.mjs";
import { Progress } from "../progress.mjs";
import { useStore } from "../store.mjs";

export function WalkSource({ session }) {
  const { run, values } = useStore(session.store);
  const vectors = session.command.inputs.filter((type) => type.type === "vector");
  const [name, setName] = useState(vectors[0].name);
  const [steps, setSteps] = useState(24);
  const [total, setTotal] = useState(96);
  const isRandom = useRef(Math.random);
  const type = vectors.find((one) => one.name === name);
  const mean = type.samplingMean ?? 0;
  useEffect(() => () => session.stop(), []);

  const start = () => {
    const point = () => sample(type.length, mean, type.samplingStd ?? 1, isRandom.current);
    let [from, to] = [values[name] ?? point(), point()];
    let index = 0;
    const next = async () => {
      if (total && index >= total) return null;
      const part = (index % steps) / steps;
      if (index && part === 0) [from, to] = [to, point()];
      index += 1;
      const vector = blend([from, to], [1 - part, part], mean);
      session.setValue(name, vector, { isFrame: true });
      return { values: { [name]: vector }, label: `step ${index}` };
    };
    if (total) session.store.set(({ limit }) => ({ limit: Math.max(limit, total) }));
    session.loop(next, total || null);
  };
  const number = (label, value, set, least) => html`
    <label class="mini inline">
      ${label}
      <input type="number" min=${least} value=${value} onChange=${(event) => event.target.valueAsNumber >= least && set(Math.round(event.target.valueAsNumber))} />
    </label>
  `;
  return html`
    <div class="walk-source">
      <div class="row">
        ${run
          ? html`<button type="button" class="stop" onClick=${() => session.stop()}><${Icon} name="stop" /> Stop</button>`
          : html`<button type="button" class="primary" onClick=${start}><${Icon} name="play" /> Walk</button>`}
        ${vectors.length > 1 &&
        html`<label class="mini inline">
          Vector
          <select value=${name} onChange=${(event) => setName(event.target.value)}>
            ${vectors.map((one) => html`<option value=${one.name} selected=${one.name === name}>${one.name}</option>`)}
          </select>
        </label>`}
        ${number("Steps between points", steps, setSteps, 1)} ${number("Steps in all, 0 for endless", total, setTotal, 0)}
      </div>
      ${run && html`<${Progress} run=${run} label="Steps" />`}
    </div>
  `;
}

// A walk through a latent space: from one random point to the next, in even steps.
import { blend, sample } from "../media/vectors.mjs";
import { ofKind } from "../types.mjs";
import { Choice, NumberField, Progress, StartStop, html, useState, useStore } from "../parts.mjs";

export function WalkSource({ session }) {
	const { run, values } = useStore(session);
	const vectors = ofKind(session.command.inputs, "vector");
	const [name, setName] = useState(vectors[0].name);
	const [steps, setSteps] = useState(24);
	const [total, setTotal] = useState(96);
	const type = vectors.find((one) => one.name === name);

	const start = () => {
		let [from, to] = [values[name] ?? sample(type), sample(type)];
		let index = 0;
		const next = async () => {
			if (total && index >= total) return null;
			const part = (index % steps) / steps;
			if (index && part === 0) [from, to] = [to, sample(type)];
			index += 1;
			const vector = blend([from, to], [1 - part, part], type.samplingMean);
			session.setValue(name, vector, { isFrame: true });
			return { values: { [name]: vector }, label: `step ${index}` };
		};
		session.loop(next, total || null);
	};
	return html`<div class="walk-source">
		<div class="row">
			<${StartStop} session=${session} text="Walk" onClick=${start} />
			${vectors.length > 1 && html`<${Choice} label="Vector" value=${name} options=${vectors.map((one) => [one.name, one.name])} onTake=${setName} />`}
			<${NumberField} label="Steps between points" value=${steps} min=${1} isInteger onTake=${setSteps} />
			<${NumberField} label="Steps in all, 0 for endless" value=${total} min=${0} isInteger onTake=${setTotal} />
		</div>
		<${Progress} run=${run} label="Steps" />
	</div>`;
}

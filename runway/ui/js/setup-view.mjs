// The setup: a model's options, and the start.
import { Field } from "./field.mjs";
import { ofKind, pictureIn } from "./types.mjs";
import { model, setOption, setUp } from "./model.mjs";
import { Elapsed, Failure, Icon, Progress, html, useStore } from "./parts.mjs";

export function SetupView() {
	const { meta, options, setup, status } = useStore(model);
	const picture = pictureIn(ofKind(meta.options, "image"), options);
	const start = (event) => {
		event.preventDefault();
		setUp();
	};
	return html`<form class="card setup-card" aria-labelledby="setup-title" noValidate onSubmit=${start}>
		<div class="card-head">
			<h2 id="setup-title">Setup</h2>
			<span class="muted">${meta.options.length ? "The model is loaded with these options." : "This model has no options."}</span>
		</div>
		<div class="options setup-options">
			${meta.options.map((type) => html`
				<${Field} key=${type.name} idPrefix="option" type=${type} value=${options[type.name]}
					error=${setup.errors[type.name]} context=${{ picture }} onChange=${(value) => setOption(type.name, value)} />
			`)}
		</div>
		${setup.failure && html`<${Failure} failure=${setup.failure} heading=${setup.failure.field ? "An option was refused" : "The setup failed"} />`}
		<div class="run-bar">
			<button type="submit" class="primary run" disabled=${setup.isRunning}>
				<${Icon} name="play" /> ${setup.isRunning ? "Starting…" : status === "RUNNING" ? "Start again" : "Start"}
			</button>
			${setup.isRunning && html`<${Progress} run=${{ done: html`<${Elapsed} began=${setup.began} />` }} label="The model is being set up" />`}
			${setup.isDone && html`<span class="muted" role="status">The model is ready.</span>`}
		</div>
	</form>`;
}

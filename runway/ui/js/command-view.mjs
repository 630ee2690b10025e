// A command: its main inputs, the output, the inference options beside them.
import { Field } from "./field.mjs";
import { OutputCard } from "./outputs/card.mjs";
import { ApiPanel } from "./panels/api.mjs";
import { SOURCES, SourceBar } from "./sources/index.mjs";
import { ofKind, pictureIn, splitInputs } from "./types.mjs";
import { Button, Elapsed, Switch, html, useListener, useStore } from "./parts.mjs";

export function CommandView({ session }) {
	const { values, errors, source } = useStore(session);
	const { command } = session;
	const { stage, options } = splitInputs(command.inputs);
	const { View } = SOURCES.find((one) => one.name === source) ?? SOURCES[0];
	const key = (event) => {
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
			event.preventDefault();
			session.run();
		}
		if (event.key === "Escape" && !document.querySelector("dialog")) session.stop();
	};
	useListener(window, "keydown", key, [session]);

	const picture = pictureIn(ofKind(command.inputs, "image"), values);
	const field = (type, isLarge) => html`
		<${Field} key=${type.name} idPrefix="input" type=${type} value=${values[type.name]} error=${errors[type.name]}
			context=${{ session, picture, isLarge, takesPaste: type.name === session.get().feed }}
			onChange=${(value) => session.setValue(type.name, value)} />
	`;
	// A source that fills one input leaves the others to be set by hand.
	const feeds = ["camera", "video"].includes(source) ? session.get().feed : null;
	const shown = stage.filter((type) => type.name !== feeds);
	const hasOptions = options.length > 0;
	return html`
		${command.description && html`<p class="lead">${command.description}</p>`}
		<div class="workbench ${hasOptions ? "" : "is-plain"}">
			<section class="card input-card" aria-labelledby="input-title">
				<div class="card-head"><h2 id="input-title">Input</h2><${SourceBar} session=${session} /></div>
				${View && html`<${View} session=${session} />`}
				<div class="stage stage-${Math.min(2, shown.length)}">${shown.map((type) => field(type, true))}</div>
				${!hasOptions && html`<${RunBar} session=${session} />`}
			</section>
			<${OutputCard} session=${session} />
			${hasOptions && html`<aside class="card options-card" aria-labelledby="options-title">
				<div class="card-head"><h2 id="options-title">Inference options</h2></div>
				<div class="options">${options.map((type) => field(type, false))}</div>
				<${RunBar} session=${session} />
			</aside>`}
		</div>
		<${ApiPanel} session=${session} />
	`;
}

function RunBar({ session }) {
	const { run, isLive } = useStore(session);
	return html`<div class="run-bar">
		${run
			? html`<${Button} icon="stop" class="stop" onClick=${() => session.stop()}>Cancel <${Elapsed} began=${run.began} /><//>`
			: html`<${Button} icon="play" class="primary run" onClick=${() => session.run()} title="Ctrl+Enter">Run<//>`}
		<label class="mini inline" title="Run at every change of an input">
			<${Switch} checked=${isLive} onTake=${(isOn) => session.setLive(isOn)} /> Live
		</label>
	</div>`;
}

// The page: header with the views, the view, the foot.
import { CommandView } from "./command-view.mjs";
import { SETUP, load, model, session, show } from "./model.mjs";
import { Footer } from "./panels/metrics.mjs";
import { SetupView } from "./setup-view.mjs";
import { ThemeButton } from "./theme.mjs";
import { TokenPrompt } from "./token-prompt.mjs";
import { title } from "./types.mjs";
import { Icon, html, render, useEffect, useStore } from "./parts.mjs";

function Page() {
	const { meta, view, problem } = useStore(model);
	useEffect(() => void load(), []);
	const current = meta && view !== SETUP ? session(view) : null;
	document.title = `${meta ? `${current ? title(view) : "Setup"} · ` : ""}Workspace`;
	return html`
		<header class="head">
			<img class="logo" src="icon.svg" alt="" width="26" height="26" />
			<h1>Workspace</h1>
			<span class="host muted">${location.host}</span>
			${meta && html`<${Tabs} meta=${meta} view=${view} />`}
			<${ThemeButton} />
		</header>
		${meta
			? html`
					<main>
						<div id="view" role="tabpanel" aria-labelledby=${tabId(view)}>
							${current ? html`<${CommandView} key=${view} session=${current} />` : html`<${SetupView} />`}
						</div>
					</main>
					<${Footer} session=${current} />
				`
			: html`<main class="waiting"><${Icon} name="gear" /><p role="status">${problem ?? "Loading the model’s manifest…"}</p></main>`}
		<${TokenPrompt} />
	`;
}

const tabId = (view) => (view === SETUP ? "tab-setup" : `tab-run-${view.replace(/\W+/g, "-")}`);

function Tabs({ meta, view }) {
	const views = [...meta.commands.map((command) => command.name), SETUP];
	const key = (event) => {
		const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (!by) return;
		const next = views[(views.indexOf(view) + by + views.length) % views.length];
		show(next);
		document.getElementById(tabId(next))?.focus();
	};
	return html`<nav class="tabs" aria-label="Views">
		<div role="tablist" aria-label="Commands and setup" onKeyDown=${key}>
			${views.map((name) => html`<button type="button" role="tab" id=${tabId(name)} class=${name === SETUP ? "tab-setup" : ""}
				aria-selected=${name === view} aria-controls="view" tabindex=${name === view ? 0 : -1}
				onClick=${() => show(name)}>
				${name === SETUP ? html`<${Icon} name="gear" /> Setup` : title(name)}
			</button>`)}
		</div>
	</nav>`;
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Page} />`, root);

// The call on screen as code to paste.
import { ROOT, addressOf, text } from "../api.mjs";
import { made } from "../making.mjs";
import { CopyButton } from "../outputs/plain.mjs";
import { token } from "../token.mjs";
import { SNIPPETS } from "./snippets.mjs";
import { Segments, html, useState, useStore } from "../parts.mjs";

const LANGUAGES = Object.keys(SNIPPETS);
const LONG = 80; // characters of a value that is shown; what is copied is whole

export function ApiPanel({ session }) {
	useStore(session);
	const [language, setLanguage] = useState(LANGUAGES[0]);
	const url = addressOf(session.command.name);
	const call = (inputs) => SNIPPETS[language]({ url, inputs, hasToken: token.value() !== "" });
	const shown = call(JSON.parse(JSON.stringify(session.inputs(), shorten)));
	return html`<details class="card api-panel">
		<summary><h2>API</h2><span class="muted">the call on screen as curl, Python and JavaScript</span></summary>
		<div class="row">
			<${Segments} label="Language" name="language" value=${language} options=${LANGUAGES.map((one) => [one, one])} onTake=${setLanguage} />
			<span class="push row">
				<${Document} path="meta">Manifest<//>
				<${Document} path="openapi.json">OpenAPI<//>
				<${CopyButton} text=${async () => (await made(), call(session.inputs()))} name="the ${language} code" />
			</span>
		</div>
		<pre role="group" class="code snippet" tabindex="0" aria-label="${language} code">${shown}</pre>
	</details>`;
}

// What the server tells of itself. A link carries no token: with one, the page fetches it and shows it.
function Document({ path, children }) {
	const open = async (event) => {
		if (!token.value()) return;
		event.preventDefault();
		const told = await text(path);
		if (told !== null) window.open(URL.createObjectURL(new Blob([told], { type: "application/json" })));
	};
	return html`<a href=${new URL(path, ROOT).href} target="_blank" rel="noreferrer" onClick=${open}>${children}</a>`;
}

function shorten(_, value) {
	if (typeof value === "string" && value.length > LONG) return `${value.slice(0, LONG / 2)}…`;
	if (Array.isArray(value) && value.length > 8 && value.every((item) => typeof item === "number")) return [...value.slice(0, 6), "…"];
	return value;
}

// Asks for the access token of a server that wants one.
import { prompt, token } from "./token.mjs";
import { Dialog, html, useState, useStore } from "./parts.mjs";

export function TokenPrompt() {
	const { isAsked, wasRefused } = useStore(prompt);
	const [text, setText] = useState("");
	if (!isAsked) return null;
	const give = (event) => {
		event.preventDefault();
		if (text.trim()) token.give(text);
	};
	return html`<${Dialog} title="This server asks for a token">
		<form class="token-form" onSubmit=${give}>
			<label for="token">Access token</label>
			<input id="token" type="password" autocomplete="off" autofocus value=${text}
				aria-invalid=${wasRefused ? "true" : undefined} aria-describedby="token-note"
				onInput=${(event) => setText(event.target.value)} />
			<p id="token-note" class=${wasRefused ? "field-error" : "muted"}>
				${wasRefused ? "The server refused that token. Try another one." : "Whoever started the server knows it. It is kept until this tab is closed."}
			</p>
			<div class="row"><button type="submit" class="primary" disabled=${!text.trim()}>Continue</button></div>
		</form>
	<//>`;
}

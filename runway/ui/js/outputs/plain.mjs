// Text and JSON.
import { cut } from "../types.mjs";
import { copyText } from "../clipboard.mjs";
import { IconButton, html, useState } from "../parts.mjs";

export function CopyButton({ text, name }) {
	const [isCopied, setCopied] = useState(false);
	const copy = async () => {
		setCopied(await copyText(await text()));
		setTimeout(() => setCopied(false), 1500);
	};
	return html`<${IconButton} icon="copy" label=${isCopied ? "Copied" : `Copy ${name}`} class=${isCopied ? "is-done" : ""} onClick=${copy} />`;
}

// `copied` gives what the button copies.
export const TextView = ({ value, label, class: kind, copied = () => String(value) }) => html`<div class="text-view">
	<pre role="group" tabindex="0" class=${kind} aria-label=${label}>${value}</pre>
	<${CopyButton} text=${copied} name=${label} />
</div>`;

const MAX_CHARACTERS = 100_000; // more would make the page slow and nobody reads it

export function JsonTree({ value, label }) {
	const text = JSON.stringify(value, shorten, 2) ?? "null";
	const shown = cut(text, MAX_CHARACTERS);
	return html`<${TextView} value=${shown} label=${label} class="code" copied=${() => JSON.stringify(value)} />`;
}

function shorten(_, value) {
	return typeof value === "string" && value.startsWith("data:") && value.length > 200
		? `${value.slice(0, 48)}… (${value.length} characters)`
		: value;
}

// Text and JSON.
import { copyText } from "../clipboard.mjs";
import { IconButton, html, useState } from "../parts.mjs";

export function CopyButton({ text, label }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    setCopied(await copyText(text()));
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<${IconButton} icon="copy" label=${isCopied ? "Copied" : label} class=${isCopied ? "is-done" : ""} onClick=${copy} />`;
}

export function TextView({ value, label }) {
  return html`
    <div class="text-view">
      <pre role="group" tabindex="0" aria-label=${label}>${value}</pre>
      <${CopyButton} text=${() => String(value)} label=${`Copy ${label}`} />
    </div>
  `;
}

const MAX_CHARACTERS = 100_000; // more would make the page slow and nobody reads it

export function JsonTree({ value, label }) {
  const text = JSON.stringify(value, (_, inner) => shorten(inner), 2) ?? "null";
  const shown = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}\n…` : text;
  return html`
    <div class="text-view">
      <pre role="group" tabindex="0" class="code" aria-label=${label}>${shown}</pre>
      <${CopyButton} text=${() => JSON.stringify(value)} label=${`Copy ${label}`} />
    </div>
  `;
}

function shorten(value) {
  return typeof value === "string" && value.startsWith("data:") && value.length > 200
    ? `${value.slice(0, 48)}… (${value.length} characters)`
    : value;
}

// A control with its label, its description as a tooltip, and the error that belongs to it.
import { controlFor } from "./controls/index.mjs";
import { title } from "./types.mjs";
import { Icon, html } from "./parts.mjs";

const LABELLED = new Set(["text", "number", "boolean", "category"]); // one element takes the label; others are groups

// Shown while the pointer or the focus is on it.
function Hint({ name, text }) {
	const id = `hint-${name.replace(/\W+/g, "-")}`;
	const leave = (event) => event.key === "Escape" && event.currentTarget.blur();
	return html`<span class="hint">
		<button type="button" class="hint-button" aria-label="About ${title(name)}" aria-describedby=${id} onKeyDown=${leave}><${Icon} name="info" /></button>
		<span role="tooltip" id=${id} class="tooltip">${text}</span>
	</span>`;
}

export function Field({ type, value, onChange, error, context = {}, idPrefix }) {
	const id = `${idPrefix}-${type.name.replace(/\W+/g, "_")}`;
	const Control = controlFor(type);
	const errorId = error ? `${id}-error` : undefined;
	const control = html`<${Control} id=${id} type=${type} value=${value} onChange=${onChange} errorId=${errorId} context=${context} />`;
	const hint = type.description && html`<${Hint} name=${type.name} text=${type.description} />`;
	const failed = error && html`<p class="field-error" id=${errorId} role="alert"><${Icon} name="warn" />${error}</p>`;
	const isOne = LABELLED.has(type.type);
	const labelId = `${id}-label`;
	const group = isOne ? {} : { role: "group", "aria-labelledby": labelId, "aria-describedby": errorId };
	return html`<div class="field field-${type.type} ${error ? "has-error" : ""}" data-field=${type.name} ...${group}>
		<div class="field-head">
			${isOne ? html`<label for=${id}>${title(type.name)}</label>` : html`<span class="label" id=${labelId}>${title(type.name)}</span>`}${hint}
		</div>
		${control}${failed}
	</div>`;
}

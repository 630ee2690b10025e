// A control with its label, its description as a tooltip, and the error that belongs to it.
import { controlFor } from "./controls/index.mjs";
import { title } from "./types.mjs";
import { Icon, html, useState } from "./parts.mjs";

const LABELLED = new Set(["text", "number", "boolean", "category"]); // one element takes the label; others are groups

export function Hint({ name, text }) {
  const [isOpen, setOpen] = useState(false);
  const id = `hint-${name.replace(/\W+/g, "-")}`;
  const close = () => setOpen(false);
  return html`
    <span class="hint" onMouseEnter=${() => setOpen(true)} onMouseLeave=${close}>
      <button
        type="button"
        class="hint-button"
        aria-label=${`About ${title(name)}`}
        aria-describedby=${isOpen ? id : undefined}
        onFocus=${() => setOpen(true)}
        onBlur=${close}
        onClick=${() => setOpen(true)}
        onKeyDown=${(event) => event.key === "Escape" && close()}
      >
        <${Icon} name="info" />
      </button>
      ${isOpen && html`<span role="tooltip" id=${id} class="tooltip">${text}</span>`}
    </span>
  `;
}

export function Field({ type, value, onChange, error, context = {}, idPrefix }) {
  const id = `${idPrefix}-${type.name.replace(/[^\w]+/g, "_")}`;
  const Control = controlFor(type);
  const errorId = error ? `${id}-error` : undefined;
  const control = html`
    <${Control} id=${id} type=${type} value=${value} onChange=${onChange} errorId=${errorId} context=${context} />
  `;
  const hint = type.description && html`<${Hint} name=${type.name} text=${type.description} />`;
  const failed = error && html`<p class="field-error" id=${errorId} role="alert"><${Icon} name="warn" />${error}</p>`;
  if (LABELLED.has(type.type)) {
    return html`
      <div class=${`field field-${type.type} ${error ? "has-error" : ""}`} data-field=${type.name}>
        <div class="field-head"><label for=${id}>${title(type.name)}</label>${hint}</div>
        ${control}${failed}
      </div>
    `;
  }
  return html`
    <div
      class=${`field field-${type.type} ${error ? "has-error" : ""}`}
      data-field=${type.name}
      role="group"
      aria-labelledby=${`${id}-label`}
      aria-describedby=${errorId}
    >
      <div class="field-head"><span class="label" id=${`${id}-label`}>${title(type.name)}</span>${hint}</div>
      ${control}${failed}
    </div>
  `;
}

// Text, number, boolean, category.
import { Switch, html, refused, useEffect, useState } from "../parts.mjs";

const LONG_TEXT = 60; // characters, from here on a line is too short

export function TextControl({ id, type, value, onChange, errorId, context }) {
  const text = value ?? "";
  const isLong = context.isLarge || text.length > LONG_TEXT || text.includes("\n");
  const shared = {
    id,
    value: text,
    ...refused(errorId),
    minlength: type.minLength || undefined,
    maxlength: type.maxLength || undefined,
    onInput: (event) => onChange(event.target.value),
  };
  const count = type.maxLength && html`<span class="count">${text.length} / ${type.maxLength}</span>`;
  return html`
    <div class="text-control">
      <textarea ...${shared} rows=${isLong ? 6 : context.isItem ? 1 : 2} spellcheck="true"></textarea>
      ${count}
    </div>
  `;
}

export function NumberControl({ id, type, value, onChange, errorId }) {
  const [text, setText] = useState(String(value ?? ""));
  useEffect(() => {
    if (Number(text) !== value || text.trim() === "") setText(String(value ?? ""));
  }, [value]);
  const take = (event) => {
    setText(event.target.value);
    if (event.target.value.trim() !== "" && Number.isFinite(event.target.valueAsNumber)) onChange(event.target.valueAsNumber);
  };
  const isBounded = type.min !== undefined && type.max !== undefined;
  const step = type.step ?? (isBounded && !Number.isInteger(type.max - type.min) ? 0.01 : "any");
  const slide = type.step ?? (isBounded ? niceStep(type.max - type.min) : 1);
  const limits = { min: type.min, max: type.max };
  return html`
    <div class="number-control">
      ${isBounded &&
      html`<input
        type="range"
        ...${limits}
        step=${slide}
        value=${value}
        aria-label=${`${type.name} slider`}
        style=${{ "--part": `${(100 * (value - type.min)) / (type.max - type.min || 1)}%` }}
        onInput=${(event) => onChange(event.target.valueAsNumber)}
      />`}
      <input
        id=${id}
        type="number"
        inputmode="decimal"
        ...${limits}
        step=${step}
        value=${text}
        ...${refused(errorId)}
        onInput=${take}
        onBlur=${() => setText(String(value ?? ""))}
      />
    </div>
  `;
}

// A hundredth of the span, as a power of ten, for sliders whose type declares no step.
function niceStep(span) {
  return 10 ** Math.floor(Math.log10(span / 100 || 1));
}

export function BooleanControl({ id, value, onChange, errorId }) {
  return html`
    <${Switch} id=${id} checked=${value === true} aria-describedby=${errorId} onChange=${(event) => onChange(event.target.checked)} />
  `;
}

export function CategoryControl({ id, type, value, onChange, errorId }) {
  const choices = type.oneOf ?? [];
  return html`
    <select
      id=${id}
      ...${refused(errorId)}
      value=${String(choices.indexOf(value))}
      onChange=${(event) => onChange(choices[Number(event.target.value)])}
    >
      ${choices.map((choice, index) => html`<option value=${String(index)} selected=${choice === value}>${String(choice)}</option>`)}
    </select>
  `;
}

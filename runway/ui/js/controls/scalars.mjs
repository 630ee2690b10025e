// Text, number, boolean, category.
import { Slider, Switch, html, refused, useEffect, useState } from "../parts.mjs";

const LONG_TEXT = 60; // characters, from here on a line is too short

export function TextControl({ id, type, value, onChange, errorId, context }) {
	const text = value ?? "";
	const isLong = context.isLarge || text.length > LONG_TEXT || text.includes("\n");
	return html`<div class="text-control">
		<textarea id=${id} value=${text} rows=${isLong ? 6 : context.isItem ? 1 : 2} ...${refused(errorId)}
			minlength=${type.minLength} maxlength=${type.maxLength || undefined}
			onInput=${(event) => onChange(event.target.value)}></textarea>
		${type.maxLength && html`<span class="count">${text.length} / ${type.maxLength}</span>`}
	</div>`;
}

export function NumberControl({ id, type, value, onChange, errorId }) {
	const shown = String(value ?? "");
	const [text, setText] = useState(shown);
	const putBack = () => setText(shown);
	useEffect(() => {
		if (Number(text) !== value || text.trim() === "") putBack();
	}, [value]);
	const take = ({ target }) => {
		setText(target.value);
		if (Number.isFinite(target.valueAsNumber)) onChange(target.valueAsNumber);
	};
	const isBounded = type.min !== undefined && type.max !== undefined;
	const span = type.max - type.min;
	const step = type.step ?? (isBounded && !Number.isInteger(span) ? 0.01 : "any");
	// Without a declared step: a hundredth of the span, as a power of ten.
	const slide = type.step ?? 10 ** Math.floor(Math.log10(span / 100 || 1));
	const limits = { min: type.min, max: type.max };
	return html`<div class="number-control">
		${isBounded && html`<${Slider} ...${limits} step=${slide} value=${value} aria-label="${type.name} slider" onTake=${onChange}
			style=${{ "--part": `${(100 * (value - type.min)) / (span || 1)}%` }} />`}
		<input id=${id} type="number" ...${limits} step=${step} value=${text} ...${refused(errorId)} onInput=${take} onBlur=${putBack} />
	</div>`;
}

export const BooleanControl = ({ id, value, onChange, errorId }) => html`<${Switch} id=${id} checked=${value === true} aria-describedby=${errorId} onTake=${onChange} />`;

export function CategoryControl({ id, type, value, onChange, errorId }) {
	const choices = type.oneOf ?? [];
	return html`<select id=${id} ...${refused(errorId)} onChange=${(event) => onChange(choices[event.target.selectedIndex])}>
		${choices.map((choice) => html`<option selected=${choice === value}>${String(choice)}</option>`)}
	</select>`;
}

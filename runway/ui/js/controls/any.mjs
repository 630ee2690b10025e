// Any JSON value, written as text; only text that parses is sent.
import { Button, html, useEffect, useState } from "../parts.mjs";

const write = (value) => (value === undefined ? "" : JSON.stringify(value, null, 2));

function parse(text) {
	if (text.trim() === "") return { value: undefined };
	try {
		return { value: JSON.parse(text) };
	} catch (error) {
		return { problem: error.message };
	}
}

export function AnyControl({ id, type, value, onChange, errorId }) {
	const [text, setText] = useState(write(value));
	const { value: parsed, problem } = parse(text);
	useEffect(() => {
		if (problem || write(parsed) !== write(value)) setText(write(value));
	}, [value]);
	const take = (event) => {
		setText(event.target.value);
		const read = parse(event.target.value);
		if (!read.problem) onChange(read.value);
	};
	const problemId = problem && `${id}-json`;
	return html`<div class="json-control">
		<textarea id=${id} class="code" rows="4" spellcheck="false" placeholder='{"any": "JSON"}'
			aria-label="${type.name} as JSON" aria-invalid=${problem || errorId ? "true" : undefined}
			aria-describedby=${[problemId, errorId].filter(Boolean).join(" ") || undefined} value=${text} onInput=${take}></textarea>
		<div class="row">
			<${Button} disabled=${Boolean(problem) || text.trim() === ""} onClick=${() => setText(write(parsed))}>Format<//>
			${problem && html`<span class="field-error" id=${problemId}>Not JSON yet: ${problem}</span>`}
		</div>
	</div>`;
}

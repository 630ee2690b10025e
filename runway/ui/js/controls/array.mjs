// A list of one item type: add, remove, reorder.
import { firstValue, title } from "../types.mjs";
import { controlFor } from "./index.mjs";
import { Button, IconButton, html, useRef } from "../parts.mjs";

export function ArrayControl({ id, type, value, onChange, context }) {
	const items = value ?? [];
	const keys = useRef([]); // so that a moved item keeps its control, with the caret and the picture in it
	while (keys.current.length < items.length) keys.current.push(Symbol());
	keys.current.length = items.length;
	const Control = controlFor(type.itemType);
	const latest = useRef(); // a picture may be ready only after the list has changed
	latest.current = items;
	const put = (changed) => onChange((latest.current = changed));
	const change = (key, item) => put(latest.current.map((old, at) => (keys.current[at] === key ? item : old)));
	const remove = (index) => {
		keys.current.splice(index, 1);
		put(items.filter((_, at) => at !== index));
	};
	const move = (from, to) => {
		const moved = [...items];
		for (const list of [keys.current, moved]) list.splice(to, 0, ...list.splice(from, 1));
		put(moved);
	};
	const isFull = type.maxLength ? items.length >= type.maxLength : false;
	const tool = (icon, label, isBarred, onClick) => html`<${IconButton} icon=${icon} label=${label} disabled=${isBarred} onClick=${onClick} />`;
	const row = (item, index) => {
		const number = index + 1;
		const key = keys.current[index];
		const itemId = `${id}-${index}`;
		const itemType = { ...type.itemType, name: `${title(type.name)} ${number}` };
		return html`<li key=${key}>
			<span class="item-number" aria-hidden="true">${number}</span>
			<label class="sr-only" for=${itemId}>${itemType.name}</label>
			<div class="item-control">
				<${Control} id=${itemId} type=${itemType} value=${item} context=${{ ...context, isItem: true }} onChange=${(changed) => change(key, changed)} />
			</div>
			<div class="item-tools">
				${tool("up", `Move item ${number} up`, index === 0, () => move(index, index - 1))}
				${tool("down", `Move item ${number} down`, number === items.length, () => move(index, index + 1))}
				${tool("close", `Remove item ${number}`, false, () => remove(index))}
			</div>
		</li>`;
	};
	return html`<div class="array-control">
		${items.length === 0 && html`<p class="muted">No items yet.</p>`}
		<ol>${items.map(row)}</ol>
		<${Button} icon="plus" disabled=${isFull} onClick=${() => put([...items, firstValue(type.itemType)])}>Add item<//>
		${isFull && html`<span class="muted"> ${type.maxLength} at most</span>`}
	</div>`;
}

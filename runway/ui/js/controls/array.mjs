// A list of one item type: add, remove, reorder.
import { firstValue, title } from "../types.mjs";
import { controlFor } from "./index.mjs";
import { Button, IconButton, html, useRef } from "../parts.mjs";

export function ArrayControl({ id, type, value, onChange, context }) {
  const items = value ?? [];
  const keys = useRef([]); // so that a moved item keeps its control, with the caret and the picture in it
  const next = useRef(0);
  while (keys.current.length < items.length) keys.current.push((next.current += 1));
  keys.current.length = items.length;
  const Control = controlFor(type.itemType);
  const change = (index, item) => onChange(items.map((old, at) => (at === index ? item : old)));
  const remove = (index) => {
    keys.current.splice(index, 1);
    onChange(items.filter((_, at) => at !== index));
  };
  const move = (from, to) => {
    const moved = [...items];
    for (const list of [keys.current, moved]) list.splice(to, 0, ...list.splice(from, 1));
    onChange(moved);
  };
  const isFull = type.maxLength ? items.length >= type.maxLength : false;
  return html`
    <div class="array-control">
      ${items.length === 0 && html`<p class="muted">No items yet.</p>`}
      <ol>
        ${items.map((item, index) => {
          const number = index + 1;
          const itemType = { ...type.itemType, name: `${title(type.name)} ${number}` };
          return html`
            <li key=${keys.current[index]}>
              <span class="item-number" aria-hidden="true">${number}</span>
              <label class="sr-only" for=${`${id}-${index}`}>${itemType.name}</label>
              <div class="item-control">
                <${Control}
                  id=${`${id}-${index}`}
                  type=${itemType}
                  value=${item}
                  context=${{ ...context, isItem: true }}
                  onChange=${(changed) => change(index, changed)}
                />
              </div>
              <div class="item-tools">
                <${IconButton} icon="up" label=${`Move item ${number} up`} disabled=${index === 0} onClick=${() => move(index, index - 1)} />
                <${IconButton}
                  icon="down"
                  label=${`Move item ${number} down`}
                  disabled=${index === items.length - 1}
                  onClick=${() => move(index, index + 1)}
                />
                <${IconButton} icon="close" label=${`Remove item ${number}`} onClick=${() => remove(index)} />
              </div>
            </li>
          `;
        })}
      </ol>
      <${Button} icon="plus" disabled=${isFull} onClick=${() => onChange([...items, firstValue(type.itemType)])}>Add item<//>
      ${isFull && html`<span class="muted"> ${type.maxLength} at most</span>`}
    </div>
  `;
}

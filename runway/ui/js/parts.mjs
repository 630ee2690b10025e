// Buttons and small fields that many views use.
import { html, useState } from "./dom.mjs";
import { Icon } from "./icons.mjs";

export const Button = ({ icon, class: extra = "small", type = "button", children, ...rest }) => html`
  <button type=${type} class=${extra} ...${rest}>${icon && html`<${Icon} name=${icon} />`} ${children}</button>
`;

// A labelled choice among [value, text] pairs; values may be of any type.
export const Choice = ({ label, value, options, onTake, isStacked, ...rest }) => html`
  <label class=${isStacked ? "mini" : "mini inline"}>
    ${label}
    <select ...${rest} onChange=${(event) => onTake(options[event.target.selectedIndex][0])}>
      ${options.map(([one, text]) => html`<option value=${String(one)} selected=${one === value}>${text}</option>`)}
    </select>
  </label>
`;

// A labelled number that is taken when it is whole: at Enter, or when the field is left. Others are put back.
export function NumberField({ label, value, onTake, isStacked, isInteger, min = -Infinity, max = Infinity, ...rest }) {
  const [draft, setDraft] = useState(null); // what is being typed, or another drawing would overwrite it
  const take = (event) => {
    const number = event.target.valueAsNumber;
    setDraft(null);
    if (Number.isFinite(number) && number >= min && number <= max) onTake(isInteger ? Math.round(number) : number);
  };
  const limits = { min: Number.isFinite(min) ? min : undefined, max: Number.isFinite(max) ? max : undefined };
  return html`
    <label class=${isStacked ? "mini" : "mini inline"}>
      ${label}
      <input
        type="number"
        step="any"
        ...${limits}
        ...${rest}
        value=${draft ?? value}
        onInput=${(event) => setDraft(event.target.value)}
        onChange=${take}
      />
    </label>
  `;
}

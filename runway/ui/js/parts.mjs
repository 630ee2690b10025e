// What views are built of: preact, stores, icons, and the buttons and small fields that many of them use.
import { html, useEffect, useRef, useState } from "./dom.mjs";
import { Icon } from "./icons.mjs";

export * from "./dialog.mjs";
export * from "./dom.mjs";
export * from "./failure.mjs";
export * from "./icons.mjs";
export * from "./progress.mjs";
export * from "./store.mjs";

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

export const Switch = (rest) => html`
  <span class="switch"><input type="checkbox" role="switch" ...${rest} /><span class="switch-track" aria-hidden="true"></span></span>
`;

export const Notice = ({ children }) => html`<p class="notice" role="alert"><${Icon} name="warn" />${children}</p>`;

// What a control says of itself while the server refuses its value.
export const refused = (errorId) => ({ "aria-invalid": errorId ? "true" : undefined, "aria-describedby": errorId });

// A button that asks for files and gives them as a list of {file, path}.
export function FileButton({ icon, text, class: extra, disabled, onFiles, ...input }) {
  const picker = useRef(null);
  const take = (event) => {
    const files = [...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    event.target.value = "";
    if (files.length) onFiles(files);
  };
  return html`
    <input ref=${picker} type="file" hidden ...${input} onChange=${take} />
    <${Button} icon=${icon} class=${extra} disabled=${disabled} onClick=${() => picker.current.click()}>${text}<//>
  `;
}

// Attributes of an element onto which files may be dropped.
export const dropTarget = (onTransfer) => ({
  onDragOver: (event) => event.preventDefault(),
  onDrop: (event) => {
    event.preventDefault();
    onTransfer(event.dataTransfer);
  },
});

// Starts and stops a source, which stops by itself when it is left.
export function StartStop({ session, text, ...rest }) {
  useEffect(() => () => session.stop(), []);
  return session.get().run
    ? html`<${Button} icon="stop" class="stop" onClick=${() => session.stop()}>Stop<//>`
    : html`<${Button} icon="play" class="primary" ...${rest}>${text}<//>`;
}

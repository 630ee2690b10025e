// A modal window; Escape and a click beside it close it, unless it has to be answered.
import { html, useEffect, useRef } from "./dom.mjs";
import { IconButton } from "./icons.mjs";

export function Dialog({ title, onClose, children }) {
  const element = useRef(null);
  useEffect(() => element.current.showModal(), []);
  const beside = (event) => {
    if (onClose && event.target === element.current) onClose();
  };
  return html`
    <dialog
      ref=${element}
      aria-labelledby="dialog-title"
      onClick=${beside}
      onCancel=${(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id="dialog-title">${title}</h2>
          ${onClose && html`<${IconButton} icon="close" label="Close" onClick=${onClose} />`}
        </div>
        ${children}
      </div>
    </dialog>
  `;
}

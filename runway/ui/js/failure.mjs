// An error in the server's words, with the author's traceback folded away.
import { html } from "./dom.mjs";
import { Icon } from "./icons.mjs";

export function Failure({ failure, heading }) {
  return html`
    <div class="failure" role="alert">
      <p class="failure-head"><${Icon} name="warn" /><strong>${heading}</strong></p>
      <p class="failure-text">${failure.message}</p>
      ${failure.traceback.length > 0 &&
      html`<details>
        <summary>Traceback</summary>
        <pre role="group" class="code" tabindex="0" aria-label="Traceback">${failure.traceback.join("\n")}</pre>
      </details>`}
    </div>
  `;
}

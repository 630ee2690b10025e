// A picture: chosen, dropped, pasted or taken by a source; adjusted before it is sent.
import { editFor } from "../media/fit.mjs";
import { blobOf, prepare } from "../media/pictures.mjs";
import { Adjust } from "./adjust.mjs";
import { Button, Icon, html, useEffect, useRef, useState } from "../parts.mjs";

const UNSHOWN = "This browser cannot show the picture. It will be sent as it is.";
const imageIn = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/"));

export function ImageControl({ id, type, value, onChange, errorId, context }) {
  const source = useRef(null); // {blob, made}: what `value` was made from, and all that was made of it
  const turn = useRef(0);
  const [edit, setEdit] = useState(() => editFor(type));
  const [isAdjusting, setAdjusting] = useState(false);
  const [problem, setProblem] = useState(null);
  const [size, setSize] = useState(null);
  const picker = useRef(null);
  const zone = useRef(null);

  const make = async (blob, wanted) => {
    turn.current += 1;
    const mine = turn.current;
    setProblem(null);
    let uri;
    try {
      uri = await prepare(blob, wanted);
    } catch {
      uri = await prepare(blob, { fit: "original", crop: null, format: "same" }); // the server may know the format
      setProblem(UNSHOWN);
    }
    if (mine !== turn.current) return; // a later edit was asked for meanwhile, and may be done already
    if (source.current?.blob !== blob) source.current = { blob, made: new Set() };
    source.current.made.add(uri);
    onChange(uri);
  };
  const take = (blob) => {
    if (!blob) return;
    const fresh = { ...edit, crop: null };
    setEdit(fresh);
    make(blob, fresh);
  };
  const original = () => {
    if (!source.current?.made.has(value)) source.current = { blob: blobOf(value), made: new Set([value]) };
    return source.current.blob;
  };
  const change = (wanted) => {
    setEdit(wanted);
    make(original(), wanted);
  };

  useEffect(() => {
    const paste = (event) => {
      const blob = imageIn(event.clipboardData);
      if (!blob || !(context.takesPaste || zone.current?.contains(document.activeElement))) return;
      event.preventDefault();
      take(blob);
    };
    window.addEventListener("paste", paste);
    return () => window.removeEventListener("paste", paste);
  }, [context.takesPaste, edit]);

  const pasteButton = async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const kind = item.types.find((one) => one.startsWith("image/"));
        if (kind) return take(await item.getType(kind));
      }
      setProblem("There is no picture on the clipboard.");
    } catch {
      setProblem("The browser bars the clipboard here. Press Ctrl+V instead.");
    }
    return undefined;
  };

  const dropped = (event) => {
    event.preventDefault();
    zone.current.classList.remove("is-over");
    take(imageIn(event.dataTransfer) ?? event.dataTransfer.files[0]);
  };
  const chooser = html`
    <input
      ref=${picker}
      id=${id}
      class="sr-only"
      type="file"
      accept="image/*"
      tabindex="-1"
      aria-label=${`Picture for ${type.name}`}
      aria-describedby=${errorId}
      data-upload=${type.name}
      onChange=${(event) => {
        take(event.target.files[0]);
        event.target.value = "";
      }}
    />
  `;
  const buttons = html`
    <${Button} icon="image" onClick=${() => picker.current.click()}>${value ? "Replace" : "Choose a picture"}<//>
    <${Button} icon="copy" onClick=${pasteButton}>Paste<//>
  `;
  return html`
    <div
      class=${`image-control ${value ? "is-filled" : "is-empty"}`}
      ref=${zone}
      onDragOver=${(event) => {
        event.preventDefault();
        zone.current.classList.add("is-over");
      }}
      onDragLeave=${() => zone.current.classList.remove("is-over")}
      onDrop=${dropped}
    >
      ${chooser}
      ${!value &&
      html`<div class="drop-zone">
        <${Icon} name="image" />
        <p>Drop a picture here, or paste one</p>
        <div class="row center">${buttons}</div>
      </div>`}
      ${value &&
      html`
        <div class="image-frame checkered">
          ${problem
            ? html`<p class="muted frame-note">${problem}</p>`
            : html`<img
                src=${value}
                alt=${`Picture for ${type.name}`}
                onLoad=${(event) => setSize([event.target.naturalWidth, event.target.naturalHeight])}
                onError=${() => setProblem(UNSHOWN)}
              />`}
        </div>
        <div class="row image-tools">
          ${buttons}
          <${Button} icon="crop" aria-expanded=${isAdjusting} disabled=${Boolean(problem)} onClick=${() => setAdjusting(!isAdjusting)}>Adjust<//>
          <${Button} icon="trash" onClick=${() => onChange(undefined)}>Remove<//>
          ${size && html`<span class="muted push">${size[0]} × ${size[1]}</span>`}
        </div>
        ${isAdjusting && html`<${Adjust} blob=${original()} edit=${edit} onChange=${change} />`}
      `}
      ${!value && problem && html`<p class="field-error" role="alert">${problem}</p>`}
    </div>
  `;
}

// A picture: chosen, dropped, pasted or taken by a source; adjusted before it is sent.
import { making } from "../making.mjs";
import { AS_IT_IS, editFor } from "../media/fit.mjs";
import { blobOf, prepare } from "../media/pictures.mjs";
import { Adjust } from "./adjust.mjs";
import { Button, FileButton, Icon, dropTarget, html, onPictureSize, useListener, useRef, useState } from "../parts.mjs";

const UNSHOWN = "This browser cannot show the picture. It will be sent as it is.";
const isImage = ({ type }) => type.startsWith("image/");

export function ImageControl({ type, value, onChange, errorId, context }) {
	const source = useRef(null); // {blob, made}: what `value` was made from, and all that was made of it
	const turn = useRef(0);
	const [edit, setEdit] = useState(() => editFor(type));
	const [isAdjusting, setAdjusting] = useState(false);
	const [problem, setProblem] = useState(null);
	const [size, setSize] = useState(null);
	const zone = useRef(null);

	const make = async (blob, wanted) => {
		const mine = (turn.current += 1);
		setProblem(null);
		let uri;
		try {
			uri = await prepare(blob, wanted);
		} catch {
			uri = await prepare(blob, AS_IT_IS); // the server may know the format
			setProblem(UNSHOWN);
		}
		if (mine !== turn.current) return; // a later edit was asked for meanwhile, and may be done already
		if (source.current?.blob !== blob) source.current = { blob, made: new Set() };
		source.current.made.add(uri);
		onChange(uri);
	};
	const original = () => {
		if (!source.current?.made.has(value)) source.current = { blob: blobOf(value), made: new Set([value]) };
		return source.current.blob;
	};
	const change = (wanted, blob = original()) => {
		setEdit(wanted);
		making(() => make(blob, wanted));
	};
	const take = (blob) => change({ ...edit, crop: null }, blob);

	const paste = (event) => {
		const blob = [...(event.clipboardData?.files ?? [])].find(isImage);
		if (!blob || !(context.takesPaste || zone.current?.contains(document.activeElement))) return;
		event.preventDefault();
		take(blob);
	};
	useListener(window, "paste", paste, [context.takesPaste, edit]);

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
	const buttons = html`<${FileButton} icon="image" text=${value ? "Replace" : "Choose a picture"} accept="image/*" data-upload=${type.name}
		onFiles=${([{ file }]) => take(file)} errorId=${errorId} />
	<${Button} icon="copy" onClick=${pasteButton}>Paste<//>`;
	const filled = () => html`
		<div class="image-frame checkered">
			${problem
				? html`<p class="muted frame-note">${problem}</p>`
				: html`<img src=${value} alt="Picture for ${type.name}" ...${onPictureSize(setSize)} onError=${() => setProblem(UNSHOWN)} />`}
		</div>
		<div class="row image-tools">
			${buttons}
			<${Button} icon="crop" aria-expanded=${isAdjusting} disabled=${Boolean(problem)} onClick=${() => setAdjusting(!isAdjusting)}>Adjust<//>
			<${Button} icon="trash" onClick=${() => onChange(undefined)}>Remove<//>
			${size && html`<span class="muted push">${size[0]} × ${size[1]}</span>`}
		</div>
		${isAdjusting && html`<${Adjust} blob=${original()} edit=${edit} onChange=${change} />`}
	`;
	const empty = () => html`
		<div class="drop-zone">
			<${Icon} name="image" />
			<p>Drop a picture here, or paste one</p>
			<div class="row center">${buttons}</div>
		</div>
		${problem && html`<p class="field-error" role="alert">${problem}</p>`}
	`;
	return html`<div class="image-control ${value ? "is-filled" : "is-empty"}" ref=${zone}
		...${dropTarget((files) => take((files.find(({ file }) => isImage(file)) ?? files[0]).file))}>
		${value ? filled() : empty()}
	</div>`;
}

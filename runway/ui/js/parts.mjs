// What views are built of: preact, stores, and the buttons, fields and windows that many of them use.
import { html, useEffect, useRef, useState } from "./dom.mjs";

export * from "./dom.mjs";
export * from "./store.mjs";

// An icon of icons.svg: decoration, buttons have names of their own.
export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><use href="icons.svg#${name}" /></svg>`;

// A button that shows only an icon; its name is read out and shown on hover.
export const IconButton = ({ icon, label, class: extra = "", ...rest }) => html`
	<button type="button" class="icon-button ${extra}" aria-label=${label} title=${label} ...${rest}><${Icon} name=${icon} /></button>
`;

export const Button = ({ icon, class: extra = "small", type = "button", children, ...rest }) => html`
	<button type=${type} class=${extra} ...${rest}>${icon && html`<${Icon} name=${icon} />`} ${children}</button>
`;

// A labelled choice among [value, text] pairs; values may be of any type.
export const Choice = ({ label, value, options, onTake, ...rest }) => html`<label class="mini inline">
	${label}
	<select ...${rest} onChange=${(event) => onTake(options[event.target.selectedIndex][0])}>
		${options.map(([one, text]) => html`<option value=${String(one)} selected=${one === value}>${text}</option>`)}
	</select>
</label>`;

// A labelled number that is taken when it is whole: at Enter, or when the field is left. Others are put back.
export function NumberField({ label, value, onTake, isInteger, ...rest }) {
	const [draft, setDraft] = useState(null); // what is being typed, or another drawing would overwrite it
	const take = (event) => {
		const number = event.target.valueAsNumber;
		setDraft(null);
		if (Number.isFinite(number) && !(number < rest.min || number > rest.max)) onTake(isInteger ? Math.round(number) : number);
	};
	return html`<label class="mini inline">
		${label}
		<input type="number" step="any" ...${rest} value=${draft ?? value} onInput=${(event) => setDraft(event.target.value)} onChange=${take} />
	</label>`;
}

export const Swatch = ({ color }) => html`<span class="swatch-color" style=${{ background: `rgb(${color.join(" ")})` }}></span>`;

export const Slider = ({ onTake, ...rest }) => html`<input type="range" ...${rest} onInput=${(event) => onTake(event.target.valueAsNumber)} />`;

// A choice of a few [value, text, icon], all of them in sight. `isFixed` bars all but the chosen one.
export const Segments = ({ label, name, value, options, isFixed, class: extra = "", onTake }) => html`<div class="segmented ${extra}" role="radiogroup" aria-label=${label}>
	${options.map(([one, text, icon]) => {
		const isOn = one === value;
		return html`<label class="segment ${isOn ? "is-on" : ""}" title=${text}>
			<input type="radio" class="sr-only" name=${name} value=${one} checked=${isOn} disabled=${isFixed && !isOn} onChange=${() => onTake(one)} />
			${icon && html`<${Icon} name=${icon} />`}<span>${text}</span>
		</label>`;
	})}
</div>`;

export const Switch = ({ onTake, ...rest }) => html`
	<span class="switch"><input type="checkbox" role="switch" ...${rest} onChange=${(event) => onTake(event.target.checked)} /><span class="switch-track" aria-hidden="true"></span></span>
`;

export const Notice = ({ children }) => html`<p class="notice" role="alert"><${Icon} name="warn" />${children}</p>`;

// What a control says while the server refuses its value.
export const refused = (errorId) => ({ "aria-invalid": errorId ? "true" : undefined, "aria-describedby": errorId });

// A button that asks for files and gives them as a list of {file, path}. Other attributes are the input's.
export function FileButton({ icon, text, class: extra, disabled, errorId, onFiles, ...input }) {
	const picker = useRef(null);
	const take = (event) => {
		const files = [...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
		event.target.value = "";
		if (files.length) onFiles(files);
	};
	return html`<input ref=${picker} type="file" hidden ...${input} onChange=${take} />
	<${Button} icon=${icon} class=${extra} disabled=${disabled} aria-describedby=${errorId} onClick=${() => picker.current.click()}>${text}<//>`;
}

// Attributes of an element onto which files may be dropped; it gives them as `FileButton` does.
export const dropTarget = (onFiles) => ({
	onDragOver(event) {
		event.preventDefault();
		event.currentTarget.classList.add("is-over");
	},
	onDragLeave: (event) => event.currentTarget.classList.remove("is-over"),
	async onDrop(event) {
		event.preventDefault();
		event.currentTarget.classList.remove("is-over");
		const files = await filesOfDrop(event.dataTransfer);
		if (files.length) onFiles(files);
	},
});

// Files of a drop, those inside dropped folders too.
async function filesOfDrop(transfer) {
	const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
	if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
	const found = [];
	for (const entry of entries) await collect(entry, "", found);
	return found;
}

async function collect(entry, folder, found) {
	const path = `${folder}${entry.name}`;
	if (entry.isFile) {
		found.push({ file: await new Promise((...ends) => entry.file(...ends)), path });
		return;
	}
	const reader = entry.createReader();
	for (;;) {
		// a reader gives at most 100 entries at a time
		const batch = await new Promise((...ends) => reader.readEntries(...ends));
		if (!batch.length) return;
		for (const inner of batch) await collect(inner, `${path}/`, found);
	}
}

// Attributes of a picture that tell its size in pixels, [width, height], once it is there.
export const onPictureSize = (onTake) => ({ onLoad: ({ target }) => onTake([target.naturalWidth, target.naturalHeight]) });

// Listens to a window or the like while a component is shown; anew when one of `watched` changes.
export function useListener(target, name, listener, watched) {
	useEffect(() => {
		target.addEventListener(name, listener);
		return () => target.removeEventListener(name, listener);
	}, watched);
}

// An address for a blob, as long as it is shown.
export function useObjectUrl(blob) {
	const [url, setUrl] = useState(null);
	useEffect(() => {
		if (!blob) return undefined;
		const made = URL.createObjectURL(blob);
		setUrl(made);
		return () => URL.revokeObjectURL(made);
	}, [blob]);
	return url;
}

// Starts and stops a source, which stops by itself when it is left.
export function StartStop({ session, text, ...rest }) {
	useEffect(() => () => session.stop(), []);
	return session.get().run
		? html`<${Button} icon="stop" class="stop" onClick=${() => session.stop()}>Stop<//>`
		: html`<${Button} icon="play" class="primary" ...${rest}>${text}<//>`;
}

// How far a run is, where there is one.
export function Progress({ run, label }) {
	if (!run) return null;
	const count = run.total ? `${run.done} / ${run.total}` : run.done || "";
	return html`<div class="progress-row">
		<progress aria-label=${label} max="1" value=${run.progress ?? undefined}></progress>
		<span class="muted" role="status">${count}${run.fps ? `, ${run.fps.toFixed(1)} a second` : ""}</span>
	</div>`;
}

// Seconds since `began`, counting.
export function Elapsed({ began }) {
	const [now, setNow] = useState(performance.now());
	useEffect(() => {
		const timer = setInterval(() => setNow(performance.now()), 200);
		return () => clearInterval(timer);
	}, []);
	return html`<span>${Math.max(0, (now - began) / 1000).toFixed(1)} s</span>`;
}

// An error in the server's words, with the author's traceback folded away.
export const Failure = ({ failure, heading }) => html`<div class="failure" role="alert">
	<p class="failure-head"><${Icon} name="warn" /><strong>${heading}</strong></p>
	<p class="failure-text">${failure.message}</p>
	${failure.traceback.length > 0 && html`<details>
		<summary>Traceback</summary>
		<pre role="group" class="code" tabindex="0" aria-label="Traceback">${failure.traceback.join("\n")}</pre>
	</details>`}
</div>`;

// A modal window. Escape or a click beside it close it, unless it has to be answered.
export function Dialog({ title, onClose, children }) {
	const element = useRef(null);
	useEffect(() => element.current.showModal(), []);
	const beside = (event) => event.target === element.current && onClose?.();
	const cancel = (event) => {
		event.preventDefault();
		onClose?.();
	};
	return html`<dialog ref=${element} aria-labelledby="dialog-title" onClick=${beside} onCancel=${cancel}>
		<div class="dialog-body">
			<div class="dialog-head">
				<h2 id="dialog-title">${title}</h2>
				${onClose && html`<${IconButton} icon="close" label="Close" onClick=${onClose} />`}
			</div>
			${children}
		</div>
	</dialog>`;
}

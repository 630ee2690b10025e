// What to export of the results, and as what.
import { BARRED, copyPicture, copyText } from "../clipboard.mjs";
import { record, videoKinds } from "../media/recorder.mjs";
import { title } from "../types.mjs";
import { csv, json, picturesOf, pictureNames, pngOf, pngSequence, save } from "./exports.mjs";
import { Choice, Dialog, Icon, NumberField, Progress, html, useEffect, useRef, useState } from "../parts.mjs";

// What an export may take, oldest first.
function scopesOf({ shown, history }) {
	const scopes = [["shown", "This result", [shown]]];
	if (history.length > 1) scopes.push(["history", `All ${history.length} results`, history.toReversed()]);
	if (shown.frames.length) {
		const steps = shown.frames.map((outputs) => ({ ...shown, outputs }));
		scopes.push(["frames", `The ${steps.length} steps of this result`, steps]);
	}
	return scopes;
}

export function ExportDialog({ session, onClose }) {
	const { command } = session;
	const { shown } = session.get();
	const scopes = scopesOf(session.get());
	const names = pictureNames(command);
	const [scope, setScope] = useState(scopes.at(-1)[0]);
	const [name, setName] = useState(names[0]);
	const [fps, setFps] = useState(12);
	const [busy, setBusy] = useState(null); // {progress, done}
	const [note, setNote] = useState("");
	const { current: abort } = useRef(new AbortController());
	useEffect(() => () => abort.abort(), []);

	const entries = scopes.find(([one]) => one === scope)[2];
	const pictures = name ? picturesOf(entries.map((entry) => entry.outputs), name) : [];
	const work = (text, make) => async () => {
		const onProgress = (progress) => setBusy({ progress, done: `Making ${text}…` });
		setNote("");
		onProgress(0);
		try {
			setNote((await make(onProgress)) ?? "Saved");
		} catch (error) {
			setNote(error.message);
		}
		setBusy(null);
	};
	const copyShown = work("copy", async () => {
		if (!pictures.length) return (await copyText(JSON.stringify(shown.outputs))) ? "Copied" : BARRED;
		return (await copyPicture(await pngOf(pictures.at(-1)))) ? "Copied" : "The browser lets only secure pages copy pictures. Save it instead.";
	});
	const option = (icon, text, detail, action, isPossible = true) => html`<button type="button" class="export-option" disabled=${Boolean(busy) || !isPossible} onClick=${action}>
		<${Icon} name=${icon} /><span><strong>${text}</strong><small>${detail}</small></span>
	</button>`;
	const saving = (icon, text, detail, suffix, make, isPossible) =>
		option(icon, text, detail, work(suffix, async (onProgress) => save(await make(onProgress), `${command.name}.${suffix}`)), isPossible);
	const picturing = (...given) => saving(...given, pictures.length > 0);
	const video = ([suffix, mime]) =>
		picturing("film", `Video, ${suffix}`, `${(pictures.length / fps).toFixed(1)} s`, suffix, (onProgress) =>
			record(pictures, fps, mime, { onProgress, signal: abort.signal }));
	return html`<${Dialog} title="Export" onClose=${onClose}>
		<div class="row">
			<${Choice} label="Results" value=${scope} options=${scopes} onTake=${setScope} />
			${names.length > 1 && html`<${Choice} label="Pictures of" value=${name} options=${names.map((one) => [one, title(one)])} onTake=${setName} />`}
			${names.length > 0 && html`<${NumberField} label="Frames a second" value=${fps} min=${1} max=${60} onTake=${setFps} />`}
		</div>
		<div class="export-options">
			${names.length > 0 && [
				picturing("image", "Picture", "the last one, PNG", "png", () => pngOf(pictures.at(-1))),
				picturing("files", "Image sequence", `${pictures.length} PNG in a zip`, "zip", (onProgress) => pngSequence(pictures, name, onProgress)),
				videoKinds().map(video),
			]}
			${saving("code", "JSON", "inputs and outputs in full", "json", () => json(entries))}
			${saving("download", "CSV", "a row for each result", "csv", () => csv(entries, command))}
			${option("copy", "Copy", names.length ? "the last picture" : "the outputs as JSON", copyShown)}
		</div>
		<${Progress} run=${busy} label="Progress of the export" />
		<p class="muted" role="status">${note}</p>
	<//>`;
}

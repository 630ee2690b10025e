// The output side of a command: the result shown, its export, the strip of earlier ones.
import { VideoRecorder, videoKinds } from "../media/recorder.mjs";
import { ExportDialog } from "./export-dialog.mjs";
import { pictureNames, picturesOf, save } from "./exports.mjs";
import { HistoryStrip } from "./history-strip.mjs";
import { OutputField } from "./index.mjs";
import { Button, Failure, Icon, Progress, html, useRef, useState, useStore } from "../parts.mjs";

export function OutputCard({ session }) {
	const { shown, run, failure, history } = useStore(session);
	const [isExporting, setExporting] = useState(false);
	const { command } = session;
	return html`<section class="card output-card" aria-labelledby="output-title">
		<div class="card-head">
			<h2 id="output-title">Output</h2>
			${shown && html`<span class="muted">${shown.label ? `${shown.label}, ` : ""}${formatMs(shown.ms)}</span>`}
			<span class="push row">
				<${LiveRecording} session=${session} />
				${history.indexOf(shown) > 0 && html`<${Button} onClick=${() => session.setValues(shown.inputs)}>Use these inputs<//>`}
				<${Button} icon="download" disabled=${!shown} onClick=${() => setExporting(true)}>Export<//>
			</span>
		</div>
		${run?.kind === "one" && html`<${Progress} run=${run} label="Progress of the run" />`}
		${failure && html`<${Failure} failure=${failure} heading=${failure.field ? "An input was refused" : "The run failed"} />`}
		<div class="outputs ${command.outputs.length === 1 ? "is-single" : ""}" aria-live="polite" aria-busy=${run ? "true" : "false"}>
			${shown
				? command.outputs.map((type) => html`<${OutputField} key=${type.name} type=${type} entry=${shown} command=${command} />`)
				: !failure && html`<div class="empty"><${Icon} name="play" /><p>Run the command to see what the model makes of the input.</p></div>`}
		</div>
		${history.length > 0 && html`<${HistoryStrip} session=${session} />`}
		${isExporting && html`<${ExportDialog} session=${session} onClose=${() => setExporting(false)} />`}
	</section>`;
}

export const formatMs = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

// Records outputs as they come: cameras and walks may be longer than the history.
function LiveRecording({ session }) {
	const { onEntry } = useStore(session);
	const recorder = useRef(null);
	const [name] = pictureNames(session.command);
	const [kind] = videoKinds();
	if (!name || !kind) return null;
	const start = () => {
		recorder.current = new VideoRecorder(kind[1]);
		session.set({
			onEntry({ outputs }) {
				const [picture] = picturesOf([outputs], name);
				if (picture) recorder.current?.add(picture).catch(() => {});
			},
		});
	};
	const stop = async () => {
		session.set({ onEntry: null });
		const blob = await recorder.current.stop();
		recorder.current = null;
		if (blob) save(blob, `${session.command.name}-live.${kind[0]}`);
	};
	return html`
		<${Button} icon="record" class="small ${onEntry ? "is-recording" : ""}" aria-pressed=${Boolean(onEntry)} onClick=${onEntry ? stop : start}>${onEntry ? "Stop and save" : "Record"}<//>
	`;
}

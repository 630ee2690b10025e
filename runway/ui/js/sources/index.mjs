// Where a command's inputs come from, besides the controls.
import { BatchSource } from "./batch.mjs";
import { CameraSource } from "./camera.mjs";
import { NetworkSource } from "./network.mjs";
import { VideoSource } from "./video.mjs";
import { WalkSource } from "./walk.mjs";
import { ofKind } from "../types.mjs";
import { Segments, html, useStore } from "../parts.mjs";

// `kind` is the type of input that a source needs.
export const SOURCES = [
	{ name: "hand", text: "By hand", icon: "hand" },
	{ name: "camera", text: "Camera", icon: "camera", kind: "image", View: CameraSource },
	{ name: "video", text: "Video", icon: "film", kind: "image", View: VideoSource },
	{ name: "walk", text: "Walk", icon: "walk", kind: "vector", View: WalkSource },
	{ name: "batch", text: "Batch", icon: "files", View: BatchSource },
	{ name: "network", text: "Network", icon: "network", View: NetworkSource },
];

export function SourceBar({ session }) {
	const { source, run } = useStore(session);
	const known = SOURCES.filter(({ kind }) => !kind || ofKind(session.command.inputs, kind).length);
	const options = known.map(({ name, text, icon }) => [name, text, icon]);
	return html`
		<${Segments} label="Where the input comes from" name="source" class="source-bar" value=${source} options=${options}
			isFixed=${Boolean(run)} onTake=${(name) => session.set({ source: name })} />
	`;
}

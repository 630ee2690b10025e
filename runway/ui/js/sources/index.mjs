// Where a command's inputs come from, besides the controls.
import { BatchSource } from "./batch.mjs";
import { CameraSource } from "./camera.mjs";
import { NetworkSource } from "./network.mjs";
import { VideoSource } from "./video.mjs";
import { WalkSource } from "./walk.mjs";
import { ofKind } from "../types.mjs";
import { Segments, html, useStore } from "../parts.mjs";

const has = (kind) => (command) => ofKind(command.inputs, kind).length > 0;

export const SOURCES = [
	{ name: "hand", text: "By hand", icon: "hand", fits: () => true, View: null },
	{ name: "camera", text: "Camera", icon: "camera", fits: has("image"), View: CameraSource },
	{ name: "video", text: "Video", icon: "film", fits: has("image"), View: VideoSource },
	{ name: "walk", text: "Walk", icon: "walk", fits: has("vector"), View: WalkSource },
	{ name: "batch", text: "Batch", icon: "files", fits: () => true, View: BatchSource },
	{ name: "network", text: "Network", icon: "network", fits: () => true, View: NetworkSource },
];

export function SourceBar({ session }) {
	const { source, run } = useStore(session);
	const options = SOURCES.filter((one) => one.fits(session.command)).map(({ name, text, icon }) => [name, text, icon]);
	return html`
		<${Segments} label="Where the input comes from" name="source" class="source-bar" value=${source} options=${options}
			isFixed=${Boolean(run)} onTake=${(name) => session.set({ source: name })} />
	`;
}

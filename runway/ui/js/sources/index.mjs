// Where a command's inputs come from, besides the controls.
import { BatchSource } from "./batch.mjs";
import { CameraSource } from "./camera.mjs";
import { NetworkSource } from "./network.mjs";
import { VideoSource } from "./video.mjs";
import { WalkSource } from "./walk.mjs";
import { Choice, Icon, html, useStore } from "../parts.mjs";

const has = (kind) => (command) => command.inputs.some((type) => type.type === kind);

export const SOURCES = [
  { name: "hand", text: "By hand", icon: "hand", fits: () => true, View: null },
  { name: "camera", text: "Camera", icon: "camera", fits: has("image"), View: CameraSource },
  { name: "video", text: "Video", icon: "film", fits: has("image"), View: VideoSource },
  { name: "walk", text: "Walk", icon: "walk", fits: has("vector"), View: WalkSource },
  { name: "batch", text: "Batch", icon: "files", fits: () => true, View: BatchSource },
  { name: "network", text: "Network", icon: "network", fits: () => true, View: NetworkSource },
];

export const sourcesOf = (command) => SOURCES.filter((source) => source.fits(command));

export function SourceBar({ session }) {
  const { source, run } = useStore(session.store);
  const known = sourcesOf(session.command);
  return html`
    <div class="segmented source-bar" role="radiogroup" aria-label="Where the input comes from">
      ${known.map(
        ({ name, text, icon }) => html`
          <label class=${`segment ${name === source ? "is-on" : ""}`} title=${text}>
            <input
              type="radio"
              class="sr-only"
              name="source"
              value=${name}
              checked=${name === source}
              disabled=${Boolean(run) && name !== source}
              onChange=${() => session.store.set({ source: name })}
            />
            <${Icon} name=${icon} /><span>${text}</span>
          </label>
        `,
      )}
    </div>
  `;
}

// Which of several image inputs a source fills.
export function Feed({ session }) {
  const { feed } = useStore(session.store);
  const images = session.command.inputs.filter((type) => type.type === "image");
  if (images.length < 2) return null;
  const options = images.map((type) => [type.name, type.name]);
  return html`<${Choice} label="Into" value=${feed} options=${options} onTake=${(name) => session.store.set({ feed: name })} />`;
}

// What sources of pictures let one choose: how large they are sent, and into which input.
import { ofKind } from "../types.mjs";
import { Choice, html, useStore } from "../parts.mjs";

const SIDES = [0, 256, 320, 512, 640, 1024, 1280, 1920];

// The longer side of frames; 0 leaves them as they are.
export function MaxSide({ value, onChange }) {
	const all = SIDES.includes(value) ? SIDES : [...SIDES, value].sort((a, b) => a - b);
	const options = all.map((side) => [side, side ? `${side} px` : "as it is"]);
	return html`<${Choice} label="Longer side" value=${value} options=${options} onTake=${onChange} />`;
}

export function Feed({ session }) {
	const { feed } = useStore(session);
	const options = ofKind(session.command.inputs, "image").map((type) => [type.name, type.name]);
	if (options.length < 2) return null;
	return html`<${Choice} label="Into" value=${feed} options=${options} onTake=${(name) => session.set({ feed: name })} />`;
}

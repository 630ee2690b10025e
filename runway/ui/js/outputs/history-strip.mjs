// Earlier results, newest first; each shows itself and the inputs that made it.
import { isPicture } from "../media/pictures.mjs";
import { cut } from "../types.mjs";
import { formatMs } from "./card.mjs";
import { IconButton, html, useStore } from "../parts.mjs";

const SHOWN = 60; // tiles; the export still takes all

export function HistoryStrip({ session }) {
	const { history, shown } = useStore(session);
	const name = (entry) => entry.label || entry.at.toLocaleTimeString();
	return html`<div class="history">
		<div class="row">
			<h3>History</h3>
			<span class="muted">${history.length}${history.length > SHOWN ? `, the newest ${SHOWN} shown` : ""}</span>
			<span class="push">
				<${IconButton} icon="trash" label="Clear the history" onClick=${() => session.set({ history: [] })} />
			</span>
		</div>
		<ul class="history-strip">
			${history.slice(0, SHOWN).map((entry) => html`<li key=${entry.id}>
				<button type="button" class="tile" aria-pressed=${shown === entry} aria-label="Result ${name(entry)}, ${formatMs(entry.ms)}"
					title="${name(entry)}\n${summary(entry.inputs)}" onClick=${() => session.set({ shown: entry })}>
					<${Thumbnail} entry=${entry} />
				</button>
			</li>`)}
		</ul>
	</div>`;
}

function Thumbnail({ entry }) {
	const values = Object.values(entry.outputs);
	const picture = values.flat().find(isPicture) ?? Object.values(entry.inputs).find(isPicture);
	return picture ? html`<img src=${picture} alt="" />` : html`<span class="tile-text">${short(values[0])}</span>`;
}

function summary(inputs) {
	return Object.entries(inputs).map(([name, value]) => `${name}: ${short(value)}`).join("\n");
}

function short(value) {
	if (isPicture(value)) return "picture";
	return cut(typeof value === "string" ? value : JSON.stringify(value), 60);
}

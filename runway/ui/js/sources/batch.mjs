// Many runs in a row: the pictures of a folder, or the rows of a CSV or JSON file.
import { editFor } from "../media/fit.mjs";
import { prepare } from "../media/pictures.mjs";
import { fromCell, parseCsv, parseJsonRows } from "../media/rows.mjs";
import { ofKind } from "../types.mjs";
import { Feed } from "./feed.mjs";
import { FileButton, Icon, Notice, NumberField, Progress, StartStop, dropTarget, html, useState, useStore } from "../parts.mjs";

const LISTED = 50; // failures; the rest are counted
const byPath = (one, other) => one.path.localeCompare(other.path, undefined, { numeric: true });

async function itemsOf(files, session) {
	const table = files.find(({ path }) => /\.(csv|json)$/i.test(path));
	if (table) return rowItems(table, session.command.inputs);
	const { feed } = session.get();
	const type = session.command.inputs.find((one) => one.name === feed);
	if (!type) throw new Error("This command takes no pictures: give a CSV or JSON file with its inputs.");
	const pictures = files.filter(({ file }) => file.type.startsWith("image/")).sort(byPath);
	if (!pictures.length) throw new Error("There is no picture, CSV or JSON among these files.");
	return pictures.map(({ file, path }) => ({ label: path, values: async () => ({ [feed]: await prepare(file, editFor(type)) }) }));
}

async function rowItems({ file, path }, inputs) {
	const text = await file.text();
	const isCsv = /\.csv$/i.test(path);
	const rows = isCsv ? parseCsv(text) : parseJsonRows(text);
	const types = inputs.filter((type) => rows.some((row) => type.name in row));
	if (!types.length) throw new Error(`No column is named like an input. The inputs are ${inputs.map((type) => type.name).join(", ")}.`);
	return rows.map((row, index) => {
		const given = types.filter(({ name }) => row[name] !== undefined && row[name] !== "");
		const values = given.map((type) => [type.name, isCsv ? fromCell(type, row[type.name]) : row[type.name]]);
		return { label: `row ${index + 1}`, values: () => Object.fromEntries(values) };
	});
}

export function BatchSource({ session }) {
	const { run, batchReport } = useStore(session);
	const [items, setItems] = useState([]);
	const [parallel, setParallel] = useState(4);
	const [problem, setProblem] = useState(null);

	const take = async (found) => {
		setProblem(null);
		setItems(await itemsOf(found, session).catch((error) => (setProblem(error.message), [])));
	};
	const picking = { disabled: Boolean(run), onFiles: take };
	const takesPictures = ofKind(session.command.inputs, "image").length > 0;
	const [wanted, accept] = takesPictures
		? ["Drop a folder, pictures, or a CSV or JSON file", "image/*,.csv,.json"]
		: ["Drop a CSV or JSON file with inputs as columns", ".csv,.json"];
	return html`<div class="batch-source" ...${dropTarget(take)}>
		<div class="drop-zone">
			<${Icon} name="files" />
			<p>${items.length ? `${items.length} runs ready` : wanted}</p>
			<div class="row center">
				<${FileButton} text="Choose files" multiple accept=${accept} data-upload="batch" ...${picking} />
				${takesPictures && html`<${FileButton} text="Choose a folder" webkitdirectory data-upload="batch-folder" ...${picking} />`}
			</div>
		</div>
		${problem && html`<${Notice}>${problem}<//>`}
		<div class="row">
			<${StartStop} session=${session} text="Run ${items.length || ""}" disabled=${!items.length} onClick=${() => session.batch(items, parallel)} />
			<${NumberField} label="At a time" value=${parallel} min=${1} max=${32} isInteger onTake=${setParallel} />
			<${Feed} session=${session} />
		</div>
		<${Progress} run=${run} label="Batch" />
		${!run && batchReport && html`<${Report} ...${batchReport} />`}
	</div>`;
}

const Report = ({ done, total, failed }) => html`<div class="batch-report" role="status">
	<p><strong>${done - failed.length} of ${total}</strong> done${failed.length ? `, ${failed.length} failed` : ""}. The results are in the history; export takes them all.</p>
	<ul class="failures">${failed.slice(0, LISTED).map(({ label, message }) => html`<li><strong>${label}</strong> ${message}</li>`)}</ul>
</div>`;

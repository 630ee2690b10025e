// Many runs in a row: a folder or several files for an image input, or the rows of a CSV or JSON file.
import { html, useEffect, useRef, useState } from "../dom.mjs";
import { Icon } from "../icons.mjs";
import { filesOfDrop } from "../media/drop.mjs";
import { editFor } from "../media/fit.mjs";
import { prepare } from "../media/pictures.mjs";
import { fromCell, parseCsv, parseJsonRows } from "../media/rows.mjs";
import { Button, NumberField } from "../parts.mjs";
import { Progress } from "../progress.mjs";
import { useStore } from "../store.mjs";
import { Feed } from "./index.mjs";

const byPath = (one, other) => one.path.localeCompare(other.path, undefined, { numeric: true });

async function itemsOf(files, session) {
  const [table] = files.filter(({ path }) => /\.(csv|json)$/i.test(path));
  if (table) return rowItems(table, session.command);
  const { feed } = session.get();
  const type = session.command.inputs.find((one) => one.name === feed);
  if (!type) throw new Error("This command takes no pictures: give a CSV or JSON file with its inputs.");
  const pictures = files.filter(({ file }) => file.type.startsWith("image/")).sort(byPath);
  if (!pictures.length) throw new Error("There is no picture, CSV or JSON among these files.");
  return pictures.map(({ file, path }) => ({
    label: path,
    values: async () => ({ [feed]: await prepare(file, editFor(type)) }),
  }));
}

async function rowItems({ file, path }, command) {
  const text = await file.text();
  const isCsv = /\.csv$/i.test(path);
  const rows = isCsv ? parseCsv(text) : parseJsonRows(text);
  const types = command.inputs.filter((type) => rows.some((row) => type.name in row));
  if (!types.length) {
    throw new Error(`No column is named like an input. The inputs are ${command.inputs.map((type) => type.name).join(", ")}.`);
  }
  return rows.map((row, index) => {
    const given = types.filter((type) => row[type.name] !== undefined && row[type.name] !== "");
    const value = (type) => (isCsv ? fromCell(type, row[type.name]) : row[type.name]);
    return { label: `row ${index + 1}`, values: async () => Object.fromEntries(given.map((type) => [type.name, value(type)])) };
  });
}

export function BatchSource({ session }) {
  const { run, batchReport } = useStore(session.store);
  const [items, setItems] = useState([]);
  const [parallel, setParallel] = useState(4);
  const [problem, setProblem] = useState(null);
  const [files, folder] = [useRef(null), useRef(null)];
  useEffect(() => () => session.stop(), []);

  const take = async (found) => {
    try {
      setItems(await itemsOf(found, session));
      setProblem(null);
    } catch (error) {
      setItems([]);
      setProblem(error.message);
    }
  };
  const picked = (event) => {
    take([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    event.target.value = "";
  };
  const drop = async (event) => {
    event.preventDefault();
    take(await filesOfDrop(event.dataTransfer));
  };
  const takesPictures = session.command.inputs.some((type) => type.type === "image");
  return html`
    <div class="batch-source" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
      <input ref=${files} type="file" multiple accept=${takesPictures ? "image/*,.csv,.json" : ".csv,.json"} hidden data-upload="batch" onChange=${picked} />
      <input ref=${folder} type="file" webkitdirectory hidden data-upload="batch-folder" onChange=${picked} />
      <div class="drop-zone">
        <${Icon} name="files" />
        <p>${items.length ? `${items.length} runs ready` : takesPictures ? "Drop a folder, pictures, or a CSV or JSON file" : "Drop a CSV or JSON file with inputs as columns"}</p>
        <div class="row center">
          <button type="button" class="small" disabled=${Boolean(run)} onClick=${() => files.current.click()}>Choose files</button>
          ${takesPictures && html`<button type="button" class="small" disabled=${Boolean(run)} onClick=${() => folder.current.click()}>Choose a folder</button>`}
        </div>
      </div>
      ${problem && html`<p class="notice" role="alert"><${Icon} name="warn" />${problem}</p>`}
      <div class="row">
        ${run
          ? html`<${Button} icon="stop" class="stop" onClick=${() => session.stop()}>Stop<//>`
          : html`<${Button} icon="play" class="primary" disabled=${!items.length} onClick=${() => session.batch(items, parallel)}>Run ${items.length || ""}<//>`}
        <${NumberField} label="At a time" value=${parallel} min=${1} max=${32} isInteger onTake=${setParallel} />
        <${Feed} session=${session} />
      </div>
      ${run && html`<${Progress} run=${run} label="Batch" />`}
      ${!run && batchReport && html`<${Report} report=${batchReport} />`}
    </div>
  `;
}

function Report({ report }) {
  const good = report.done - report.failed.length;
  return html`
    <div class="batch-report" role="status">
      <p><strong>${good} of ${report.total}</strong> done${report.failed.length ? `, ${report.failed.length} failed` : ""}. The results are in the history; export takes them all.</p>
      ${report.failed.length > 0 &&
      html`<ul class="failures">
        ${report.failed.slice(0, 50).map(({ label, message }) => html`<li><strong>${label}</strong> ${message}</li>`)}
      </ul>`}
    </div>
  `;
}

// A file or directory: uploaded, or named by a path on the server or an address.
import { upload } from "../api.mjs";
import { html, useRef, useState } from "../dom.mjs";
import { tar } from "../media/tar.mjs";
import { filesOfDrop } from "../media/drop.mjs";
import { Button } from "../parts.mjs";

export function FileControl({ id, type, value, onChange, errorId }) {
  const [sent, setSent] = useState(null); // {name, size} of what was uploaded, or {problem}
  const [isBusy, setBusy] = useState(false);
  const picker = useRef(null);
  const isFolder = Boolean(type.isDirectory);

  const send = async (files) => {
    if (!files.length) return;
    setBusy(true);
    try {
      const name = isFolder ? `${files[0].path.split("/")[0] || "folder"}.tar` : files[0].file.name;
      const blob = isFolder ? await tar(files) : files[0].file;
      onChange(await upload(blob, name, { unpack: isFolder }));
      setSent({ name: isFolder ? `${name.slice(0, -4)} (${files.length} files)` : name, size: blob.size });
    } catch (error) {
      setSent({ problem: error.message });
    }
    setBusy(false);
  };
  const pick = (event) => {
    const picked = [...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    event.target.value = "";
    send(picked);
  };
  const drop = async (event) => {
    event.preventDefault();
    send(await filesOfDrop(event.dataTransfer));
  };
  return html`
    <div class="file-control" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
      <input
        id=${id}
        type="text"
        value=${value ?? ""}
        placeholder=${isFolder ? "folder on the server, or address of a tar archive" : "path on the server, or address"}
        aria-label=${`${type.name}: path or address`}
        aria-invalid=${errorId ? "true" : undefined}
        aria-describedby=${errorId}
        onInput=${(event) => {
          setSent(null);
          onChange(event.target.value || undefined);
        }}
      />
      <input
        ref=${picker}
        type="file"
        hidden
        webkitdirectory=${isFolder}
        accept=${isFolder ? undefined : type.extension}
        data-upload=${type.name}
        onChange=${pick}
      />
      <div class="row">
        <${Button} icon="files" disabled=${isBusy} onClick=${() => picker.current.click()}>${isBusy ? "Uploading…" : isFolder ? "Upload a folder" : "Upload a file"}<//>
        <span class="muted" role="status">${sent && !sent.problem && `${sent.name}, ${(sent.size / 1000).toFixed(1)} kB`}</span>
      </div>
      ${sent?.problem && html`<p class="field-error" role="alert">${sent.problem}</p>`}
    </div>
  `;
}

// A file or directory: uploaded, or named by a path on the server or an address.
import { upload } from "../api.mjs";
import { making } from "../making.mjs";
import { tar } from "../media/tar.mjs";
import { FileButton, dropTarget, html, refused, useState } from "../parts.mjs";

export function FileControl({ id, type, value, onChange, errorId }) {
	const [sent, setSent] = useState(null); // {name, size} of what was uploaded, or {problem}
	const [isBusy, setBusy] = useState(false);
	const isFolder = Boolean(type.isDirectory);

	const send = (files) => making(async () => {
		setBusy(true);
		try {
			const name = isFolder ? `${files[0].path.split("/")[0] || "folder"}.tar` : files[0].file.name;
			const blob = isFolder ? await tar(files) : files[0].file;
			onChange(await upload(blob, name, isFolder));
			setSent({ name: isFolder ? `${name.slice(0, -4)} (${files.length} files)` : name, size: blob.size });
		} catch (error) {
			setSent({ problem: error.message });
		}
		setBusy(false);
	});
	const write = (event) => {
		setSent(null);
		onChange(event.target.value || undefined);
	};
	return html`<div class="file-control" ...${dropTarget(send)}>
		<input id=${id} type="text" value=${value ?? ""} aria-label="${type.name}: path or address" ...${refused(errorId)} onInput=${write}
			placeholder=${isFolder ? "folder on the server, or address of a tar archive" : "path on the server, or address"} />
		<div class="row">
			<${FileButton} icon="files" text=${isBusy ? "Uploading…" : isFolder ? "Upload a folder" : "Upload a file"}
				disabled=${isBusy} webkitdirectory=${isFolder} accept=${isFolder ? undefined : type.extension}
				data-upload=${type.name} onFiles=${send} />
			<span class="muted" role="status">${sent && !sent.problem && `${sent.name}, ${(sent.size / 1000).toFixed(1)} kB`}</span>
		</div>
		${sent?.problem && html`<p class="field-error" role="alert">${sent.problem}</p>`}
	</div>`;
}

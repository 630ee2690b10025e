// Files of a drop, those inside dropped folders too, each as {file, path}.

export async function filesOfDrop(transfer) {
	const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
	if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
	const found = [];
	for (const entry of entries) await collect(entry, "", found);
	return found;
}

async function collect(entry, folder, found) {
	const path = `${folder}${entry.name}`;
	if (entry.isFile) {
		found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
		return;
	}
	const reader = entry.createReader();
	for (;;) {
		// a reader gives at most 100 entries at a time
		const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
		if (!batch.length) return;
		for (const inner of batch) await collect(inner, `${path}/`, found);
	}
}

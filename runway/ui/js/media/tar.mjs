// A folder as one tar archive (POSIX.1-1988, "ustar"), for the upload of directories.

const BLOCK = 512;
const encoder = new TextEncoder();

const octal = (number, digits) => `${number.toString(8).padStart(digits, "0")}\0`;

function header(path, size) {
	const block = new Uint8Array(BLOCK);
	const put = (text, at) => block.set(encoder.encode(text), at);
	const [prefix, name] = split(path);
	put(name, 0);
	// mode, owner, group, size, time, the checksum that counts itself as spaces, type, format
	put([octal(0o644, 7), octal(0, 7), octal(0, 7), octal(size, 11), octal(0, 11), " ".repeat(8), "0ustar\0", "00"].join(""), 100);
	put(prefix, 345);
	put(octal(block.reduce((total, byte) => total + byte, 0), 6), 148);
	return block;
}

// Names over 100 bytes stand in two parts.
function split(path) {
	if (encoder.encode(path).length <= 100) return ["", path];
	for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
		const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
		if (encoder.encode(prefix).length <= 155 && encoder.encode(name).length <= 100) return [prefix, name];
	}
	throw new Error(`The file name is too long: ${path}`);
}

// Blob of `files`, each {file, path}; the name of the folder itself is left out.
export async function tar(files) {
	const parts = [];
	for (const { file, path } of files) {
		const inner = path.includes("/") ? path.slice(path.indexOf("/") + 1) : path;
		parts.push(header(inner, file.size), file, new Uint8Array((BLOCK - (file.size % BLOCK)) % BLOCK));
	}
	parts.push(new Uint8Array(2 * BLOCK));
	return new Blob(parts, { type: "application/x-tar" });
}

// Calls of a command as programs that run as they are pasted.

const indent = (text, by) => text.replaceAll("\n", `\n${by}`);
const json = (value) => JSON.stringify(value, null, 2);

function curl({ url, inputs, hasToken }) {
	const lines = [`curl -s -X POST ${quoted(url)} \\`, "  -H 'Content-Type: application/json' \\"];
	if (hasToken) lines.push('  -H "Authorization: Bearer $RW_TOKEN" \\');
	return [...lines, "  --data-binary @- <<'JSON'", json(inputs), "JSON"].join("\n");
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// JSON is Python apart from its three constants.
function pythonValue(value, by = "") {
	const deeper = `${by}    `;
	if (value === null) return "None";
	if (value === true) return "True";
	if (value === false) return "False";
	if (Array.isArray(value)) return `[${value.map((item) => pythonValue(item, deeper)).join(", ")}]`;
	if (typeof value !== "object") return JSON.stringify(value);
	const rows = Object.entries(value).map(([key, item]) => `${deeper}${JSON.stringify(key)}: ${pythonValue(item, deeper)},`);
	return rows.length ? `{\n${rows.join("\n")}\n${by}}` : "{}";
}

function python({ url, inputs, hasToken }) {
	const headers = hasToken ? '\n    headers={"Authorization": f"Bearer {os.environ[\'RW_TOKEN\']}"},' : "";
	return `${hasToken ? "import os\n\n" : ""}import requests

answer = requests.post(
    ${JSON.stringify(url)},${headers}
    json=${pythonValue(inputs, "    ")},
    timeout=300,
)
answer.raise_for_status()
print(answer.json())`;
}

function javascript({ url, inputs, hasToken }) {
	const token = hasToken ? "\n    Authorization: `Bearer ${process.env.RW_TOKEN}`," : "";
	return `const answer = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: {
    "Content-Type": "application/json",${token}
  },
  body: JSON.stringify(${indent(json(inputs), "  ")}),
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.json());`;
}

export const SNIPPETS = { curl, Python: python, JavaScript: javascript };

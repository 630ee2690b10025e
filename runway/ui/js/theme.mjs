// Light or dark: as the system has it, until the button says otherwise.
import { IconButton, html, stored, useListener, useState } from "./parts.mjs";

const kept = stored("localStorage", "runway-theme");
const system = matchMedia("(prefers-color-scheme: dark)");

export function ThemeButton() {
	const [choice, setChoice] = useState(kept.read);
	const [isSystemDark, setSystemDark] = useState(system.matches);
	const isDark = choice ? choice === "dark" : isSystemDark;
	useListener(system, "change", () => setSystemDark(system.matches), []);
	document.documentElement.dataset.theme = isDark ? "dark" : "light";
	const toggle = () => {
		const next = isDark ? "light" : "dark";
		setChoice(next);
		kept.keep(next);
	};
	return html`<${IconButton} icon=${isDark ? "sun" : "moon"} label=${isDark ? "Light colours" : "Dark colours"} onClick=${toggle} />`;
}

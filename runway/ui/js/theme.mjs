// Light or dark: as the system has it, until the button says otherwise.
import { html, useEffect, useState } from "./dom.mjs";
import { IconButton } from "./icons.mjs";

const KEY = "runway-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function ThemeButton() {
  const [choice, setChoice] = useState(chosen);
  const [isSystemDark, setSystemDark] = useState(system.matches);
  const isDark = choice ? choice === "dark" : isSystemDark;
  useEffect(() => {
    const follow = () => setSystemDark(system.matches);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  useEffect(() => {
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  }, [isDark]);
  const toggle = () => {
    const next = isDark ? "light" : "dark";
    setChoice(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // it lasts until the page is left
    }
  };
  return html`<${IconButton} icon=${isDark ? "sun" : "moon"} label=${isDark ? "Light colours" : "Dark colours"} onClick=${toggle} />`;
}

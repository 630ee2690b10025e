// The server's access token: asked for when it answers 401, kept until the tab is closed.
import { keepText, readText } from "./storage.mjs";
import { createStore } from "./store.mjs";

const WHERE = ["sessionStorage", "runway-token"];

let current = readText(...WHERE) ?? "";
let pending = null;

// `isAsked`: a prompt is open. `wasRefused`: the token that was given does not fit.
export const prompt = createStore({ isAsked: false, wasRefused: false });

export const token = {
  headers: () => (current ? { Authorization: `Bearer ${current}` } : {}),
  value: () => current,
  // A page cannot set headers on a WebSocket. Parentheses stay in encoded addresses; protocol names may have none.
  protocols() {
    const name = encodeURIComponent(current).replace(/[()]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
    return current ? ["runway", `bearer.${name}`] : [];
  },
  askFor() {
    if (!pending) {
      let settle;
      pending = Object.assign(new Promise((resolve) => (settle = resolve)), { settle });
      prompt.set({ isAsked: true, wasRefused: current !== "" });
    }
    return pending;
  },
  give(value) {
    current = value.trim();
    keepText(...WHERE, current);
    prompt.set({ isAsked: false });
    pending?.settle();
    pending = null;
  },
};

// The server's access token: asked for when it answers 401, kept until the tab is closed.
import { createStore } from "./store.mjs";

const KEY = "runway-token";

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is barred, the token then lasts until the page is left
  }
}

let current = stored();
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
    try {
      sessionStorage.setItem(KEY, current);
    } catch {
      // kept in this page only
    }
    prompt.set({ isAsked: false });
    pending?.settle();
    pending = null;
  },
};

// Texts in the browser's storage. Where it is full or barred they last until the page is left.

export function readText(storage, key) {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

export function keepText(storage, key, text) {
  try {
    window[storage].setItem(key, text);
  } catch {
    // kept in this page only
  }
}

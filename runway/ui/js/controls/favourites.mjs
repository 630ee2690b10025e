// Vectors worth keeping, in the browser's storage, for all inputs of one name and length.
import { ROOT } from "../api.mjs";

const MOST = 24;
const keyOf = (type) => `runway-favourites ${ROOT.pathname} ${type.name} ${type.length}`;

function write(type, list) {
  try {
    localStorage.setItem(keyOf(type), JSON.stringify(list));
  } catch {
    // storage is full or barred: they last until the page is left
  }
  return list;
}

export const favourites = {
  all(type) {
    try {
      return JSON.parse(localStorage.getItem(keyOf(type))) ?? [];
    } catch {
      return [];
    }
  },
  add: (type, values) => write(type, [...favourites.all(type), { at: Date.now() + Math.random(), values }].slice(-MOST)),
  remove: (type, at) =>
    write(
      type,
      favourites.all(type).filter((one) => one.at !== at),
    ),
};

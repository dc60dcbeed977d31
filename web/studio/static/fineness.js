// @ts-check
/** How fine outlines are shown, as somebody chose it: of this tab, and to begin with in a new one. */

import { root } from "./api.js";

/** @typedef {"none" | "low" | "medium" | "high"} Fineness */

const KEY = `maskpool.fineness${root}`;

/** As they are stored first. @type {Fineness[]} */
export const LEVELS = ["none", "low", "medium", "high"];

/** @returns {Fineness} */
export function remembered() {
  try {
    const kept = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
    return LEVELS.find((one) => one === kept) ?? "none";
  } catch {
    return "none";
  }
}

/** @param {Fineness} level */
export function remember(level) {
  try {
    sessionStorage.setItem(KEY, level);
    localStorage.setItem(KEY, level);
  } catch {
    // Forbidden: a reload begins anew.
  }
}

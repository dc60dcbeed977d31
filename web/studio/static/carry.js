// @ts-check
/** Prompts and reading on their way from Try to a new batch, in this tab alone. */

import { root } from "./api.js";

/**
 * @typedef {object} Carried
 * @property {{text: string, name?: string, not?: string[]}[]} prompts As a spec writes them.
 * @property {import("./reading.js").Reading} reading
 */

const KEY = `maskpool.carry${root}`;

/** @param {Carried} what */
export function carry(what) {
  sessionStorage.setItem(KEY, JSON.stringify(what));
}

/**
 * What was carried over, once.
 *
 * @returns {Carried | null}
 */
export function carried() {
  const text = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

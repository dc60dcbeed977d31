// @ts-check
/** What is on its way to a new batch, in this tab alone: from Try, or from a sample. */

import { root } from "./api.js";

/**
 * @typedef {object} Carried
 * @property {{text: string, name?: string, not?: string[]}[]} prompts As a spec writes them.
 * @property {import("./reading.js").Reading} reading
 * @property {"off" | "auto"} [tiles] Whether large pictures are looked at in tiles, too.
 * @property {string} [glossary] Version of the words that gave the prompts' English.
 * @property {CarriedPicture[]} [pictures] Of the strip.
 * @property {number} [at] Which of them was open; -1: none of them.
 * @property {number} [left] How many of the strip lie in batches, and stay there.
 *
 * @typedef {object} CarriedPicture A file of an upload.
 * @property {string} upload
 * @property {string} file
 *
 * @typedef {object} CarriedWhole
 * @property {string} whole The sample whose whole is wanted.
 * @property {import("./reading.js").Reading} reading As somebody left it there.
 */

const KEY = `maskpool.carry${root}`, WHOLE = `maskpool.carry-whole${root}`;

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
  return take(KEY);
}

/** @param {CarriedWhole} what */
export function carryWhole(what) {
  sessionStorage.setItem(WHOLE, JSON.stringify(what));
}

/**
 * The sample that was left for its whole, once.
 *
 * @returns {CarriedWhole | null}
 */
export function carriedWhole() {
  return take(WHOLE);
}

/** @param {string} key */
function take(key) {
  const text = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

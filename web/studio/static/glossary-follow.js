// @ts-check
/** A list of words that others change, too: whether it is still what is shown is asked now and again. */

import { ApiError, ask } from "./api.js";
import { whileSeen } from "./shell.js";

/** Milliseconds between two looks. */
const LOOK = 4000;

/**
 * @typedef {object} Shown What is shown.
 * @property {string} path
 * @property {Record<string, unknown>} query
 * @property {string} etag Empty: nothing yet.
 */

/**
 * @param {HTMLElement} rows Where they stand; while one is typed in, nothing is taken from under it.
 * @param {() => Shown} shown
 * @param {() => Promise<void>} reload
 */
export function followList(rows, shown, reload) {
  whileSeen(async () => {
    const before = shown();
    if (!before.etag || rows.querySelector("input") || (await isStill(before))) return;
    // Another list was chosen, or this one was read anew, while the answer came.
    if (shown().etag !== before.etag || rows.querySelector("input")) return;
    const held = rows.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    await reload();
    if (held) /** @type {HTMLElement | null} */ (rows.querySelector(`[aria-label="${CSS.escape(held)}"]`))?.focus();
  }, LOOK);
}

/** @param {Shown} shown */
async function isStill({ path, query, etag }) {
  try {
    await ask("GET", path, { query: { ...query, limit: 1 }, headers: { "If-None-Match": etag } });
    return false;
  } catch (error) {
    if (error instanceof ApiError && error.status === 304) return true;
    throw error;
  }
}

// @ts-check
/** Pictures as bitmaps, decoded beside the page and kept ready for who goes to the next one. */

import { ask } from "./api.js";

/** Bitmaps that are kept; one of 2,048 × 1,536 pixels takes 12 MB. */
const KEPT = 5;

/** @type {Map<string, Promise<ImageBitmap>>} The last used is the last one. */
const kept = new Map();

/**
 * A picture of the server, from memory if it was there before.
 *
 * @param {string} path Under the server's prefix.
 * @returns {Promise<ImageBitmap>}
 */
export function picture(path) {
  const known = kept.get(path) ?? load(path);
  kept.delete(path);
  kept.set(path, known);
  known.catch(() => kept.delete(path));
  for (const [old, bitmap] of kept) {
    if (kept.size <= KEPT) break;
    kept.delete(old);
    bitmap.then((one) => one.close()).catch(() => {});
  }
  return known;
}

/**
 * Fetch a picture before anybody asks for it.
 *
 * @param {string} path
 */
export function prefetch(path) {
  if (!kept.has(path)) picture(path).catch(() => {});
}

/** @param {string} path */
async function load(path) {
  const response = await ask("GET", path);
  return createImageBitmap(await response.blob());
}

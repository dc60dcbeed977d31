// @ts-check
/** Instances of the API as masks that are drawn, rows that are listed, cards that are shown. */

import { Outline } from "./outlines.js";
import { decode } from "./rle.js";

/** @typedef {import("./paint.js").Mask} Mask */

/**
 * As `POST /api/v1/predict?masks=rle&which=stored` gives it.
 *
 * @typedef {object} Instance
 * @property {number} ordinal
 * @property {string} category
 * @property {number} prompt
 * @property {boolean} counts
 * @property {number} score
 * @property {[number, number, number, number]} box_xyxy Of the picture itself, pixels.
 * @property {number} area Likewise.
 * @property {number} overlap
 * @property {number | null} clip_score
 * @property {number | null} against
 * @property {string | null} against_text
 * @property {number | null} contended
 * @property {number | null} contender
 * @property {number | null} object_index
 * @property {import("./rle.js").Rle} segmentation
 */

/**
 * @typedef {object} Item
 * @property {string} id
 * @property {Instance} instance As it was found.
 * @property {Instance} shown As it was corrected, or as it was found.
 * @property {Mask} mask
 * @property {string} name Of its prompt.
 * @property {number} number Among those of its name.
 * @property {number} slot Of its colour.
 * @property {import("./work.js").Edit | null} edit
 * @property {import("./reading.js").Reason | "gone" | "prompt"} reason Empty: it counts.
 * @property {boolean} hidden
 */

/** @type {WeakMap<Instance, Mask>} */
const made = new WeakMap();

/**
 * An instance as it is drawn; decoded and traced once.
 *
 * @param {Instance} instance
 * @param {string} id
 * @param {{colour: string, dashed: boolean}} look
 * @param {string} label
 * @returns {Mask}
 */
export function maskOf(instance, id, look, label) {
  let mask = made.get(instance);
  if (!mask) {
    const runs = decode(instance.segmentation);
    const box = runs.box ?? [0, 0, 0, 0];
    mask = { id, runs, outline: new Outline(runs), box, area: runs.area, colour: "", dashed: false, label };
    made.set(instance, mask);
  }
  return Object.assign(mask, { id, label, colour: look.colour, dashed: look.dashed });
}

// @ts-check
/** Images of a batch with all that is stored of them, kept ready around the one that is shown. */

import { get } from "./api.js";
import { Outline } from "./outlines.js";
import { look } from "./palette.js";
import { decode } from "./rle.js";

/**
 * @import { Mask } from "./paint.js"
 *
 * @typedef {object} Ready What is fetched of an image.
 * @property {any} image As the API shows it.
 * @property {Mask[]} masks Of all that is stored.
 */

/** Images that are kept. */
const KEPT = 9;

/** How masks are asked for: as the view of their image shows them. */
export const ASKED = { masks: "rle", which: "stored", scale: "view" };

export class ViewerImages {
  /** @param {string} path Of the images of a batch. */
  constructor(path) {
    this._path = path;
    /** @type {Map<number, Promise<Ready>>} Least lately used first. */
    this._ready = new Map();
  }

  /**
   * An image, from memory if it was there before.
   *
   * @param {number} seq
   * @returns {Promise<Ready>}
   */
  fetch(seq) {
    const known = this._ready.get(seq) ?? this._load(seq);
    this._ready.delete(seq);
    this._ready.set(seq, known);
    known.catch(() => this._ready.delete(seq));
    for (const old of this._ready.keys()) {
      if (this._ready.size <= KEPT) break;
      this._ready.delete(old);
    }
    return known;
  }

  /** @param {number} seq @returns {Promise<Ready>} */
  async _load(seq) {
    const image = await get(`${this._path}/${seq}`, { query: ASKED });
    return { image, masks: masksOf(image) };
  }
}

/**
 * What is drawn of an image.
 *
 * @param {any} image As the API shows it.
 * @returns {Mask[]}
 */
export function masksOf(image) {
  const factor = image.width ? image.mask_width / image.width : 1;
  return image.instances.map((/** @type {any} */ one, /** @type {number} */ at) => maskOf(one, at, factor));
}

/**
 * @param {any} instance
 * @param {number} at
 * @param {number} factor Pixels of the mask for one of the image.
 * @returns {Mask}
 */
function maskOf(instance, at, factor) {
  const runs = decode(instance.segmentation), { colour, dashed } = look(instance.prompt);
  const [left, top, right, bottom] = instance.box_xyxy;
  return {
    id: String(at),
    runs,
    outline: new Outline(runs),
    // A box of the image may lie half a pixel beside its mask in small.
    box: [left * factor - 1, top * factor - 1, right * factor + 1, bottom * factor + 1],
    area: instance.area,
    colour,
    dashed,
    label: instance.category,
  };
}

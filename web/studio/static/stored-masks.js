// @ts-check
/**
 * What is stored of images, fetched for tiles while they can be seen: a few at once, the latest first.
 */

import { get } from "./api.js";
import { Outline } from "./outlines.js";
import { decode } from "./rle.js";

/**
 * @typedef {object} Instance As `GET …/images/{seq}?which=stored` gives it.
 * @property {number} prompt
 * @property {string} category
 * @property {number} score
 * @property {number} area
 * @property {number} overlap
 * @property {number | null} clip_score
 * @property {number | null} against
 * @property {string | null} against_text
 * @property {number | null} contender
 * @property {number | null} object_index
 * @property {{size: [number, number], counts: string}} segmentation
 *
 * @typedef {object} StoredImage
 * @property {Instance[]} instances
 * @property {(Path2D | null)[]} paths Of the instances, traced when first drawn.
 * @property {number} scale At which they were.
 * @property {number} width Pixels of the masks.
 * @property {number} height
 */

/** Images, and masks of them, that are kept; requests at once. */
const IMAGES = 240, MASKS = 12_000, AT_ONCE = 4;

export class StoredMasks {
  /**
   * @param {string} batchId
   * @param {() => void} onchange Something came.
   */
  constructor(batchId, onchange) {
    this._path = `/api/v1/batches/${batchId}/images`;
    this._onchange = onchange;
    /** @type {Map<number, StoredImage>} Least lately used first. */
    this._kept = new Map();
    this._masks = 0;
    /** @type {Map<number, AbortController>} */
    this._asked = new Map();
    /** @type {number[]} */
    this._wanted = [];
    /** @type {Set<number>} Nothing is to be had of them. */
    this._gone = new Set();
  }

  /**
   * What is stored of an image, if it is here.
   *
   * @param {number} seq
   */
  at(seq) {
    const found = this._kept.get(seq);
    if (!found) return undefined;
    this._kept.delete(seq);
    this._kept.set(seq, found);
    return found;
  }

  /**
   * Fetch these, and no others any more.
   *
   * @param {number[]} seqs
   */
  want(seqs) {
    this._wanted = seqs.filter((seq) => !this._kept.has(seq) && !this._gone.has(seq));
    for (const [seq, stop] of this._asked) if (!seqs.includes(seq)) stop.abort();
    this._go();
  }

  _go() {
    for (const seq of this._wanted) {
      if (this._asked.size >= AT_ONCE) return;
      if (!this._asked.has(seq) && !this._kept.has(seq) && !this._gone.has(seq)) this._ask(seq);
    }
  }

  /** @param {number} seq */
  async _ask(seq) {
    const stop = new AbortController();
    this._asked.set(seq, stop);
    try {
      const query = { masks: "rle", which: "stored", scale: "thumbnail" };
      this._keep(seq, await get(`${this._path}/${seq}`, { query, signal: stop.signal }));
    } catch {
      // A tile without masks is no reason to say anything: whoever opens it hears why.
      if (!stop.signal.aborted) this._gone.add(seq);
    } finally {
      this._asked.delete(seq);
    }
    this._go();
  }

  /**
   * @param {number} seq
   * @param {any} image
   */
  _keep(seq, image) {
    const { instances, mask_width: width, mask_height: height } = image;
    this._kept.set(seq, { instances, paths: [], scale: 0, width, height });
    this._masks += instances.length;
    for (const [old, one] of this._kept) {
      if (this._kept.size <= IMAGES && this._masks <= MASKS) break;
      if (old === seq) break;
      this._kept.delete(old);
      this._masks -= one.instances.length;
    }
    this._onchange();
  }
}

/**
 * The outline of one instance, with the corners that are seen at a scale.
 *
 * @param {StoredImage} image
 * @param {number} at
 * @param {number} scale Pixels of the screen for one of the mask.
 */
export function pathOf(image, at, scale) {
  if (image.scale !== scale) Object.assign(image, { paths: image.instances.map(() => null), scale });
  const known = image.paths[at];
  if (known) return known;
  const instance = image.instances[at];
  const made = instance ? new Outline(decode(instance.segmentation)).path(scale) : new Path2D();
  image.paths[at] = made;
  return made;
}

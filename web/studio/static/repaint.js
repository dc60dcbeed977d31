// @ts-check
/**
 * Which parts of a painted layer of masks must be painted anew. A step of a slider adds or takes a
 * few masks of many, and drawing outlines is what a frame costs.
 */

/** @typedef {import("./paint.js").Mask} Mask */
/** @typedef {import("./view.js").View} View */
/** @typedef {[number, number, number, number]} Part Left, top, right, bottom: whole pixels of the canvas. */

/** Pixels of the screen that a contour, with its case and its soft edge, lies outside of its mask. */
const AROUND = 4;

/** Share of all masks from which on painting parts saves nothing. */
const WORTH = 0.7;

export class Painted {
  constructor() {
    /** @type {Map<Mask, string>} How each mask was painted, in the order of painting. */
    this.masks = new Map();
    this.how = "";
  }

  /** Nothing of it can be used again. */
  forget() {
    this.how = "";
  }

  /**
   * Take note of what is to be painted now.
   *
   * @param {Mask[]} masks
   * @param {View} view
   * @param {string} style Of all masks.
   * @returns {{parts: Part[], masks: Mask[]} | null} What differs from the last time, and the masks
   *   that lie in it; null: everything.
   */
  next(masks, view, style) {
    const ratio = globalThis.devicePixelRatio || 1;
    const how = [view.scale, view.x, view.y, view.width, view.height, ratio, style].join();
    const before = this.masks;
    const same = how === this.how;
    this.how = how;
    this.masks = new Map(masks.map((mask) => [mask, `${mask.colour} ${mask.dashed}`]));
    if (!same || !inOrder(before, this.masks)) return null;
    const stage = /** @type {Part} */ ([0, 0, Math.round(view.width * ratio), Math.round(view.height * ratio)]);
    const parts = joined(differing(before, this.masks).map((mask) => cut(partOf(mask, view, ratio), stage)));
    const inside = within(masks, parts, view, ratio);
    return inside.length > masks.length * WORTH ? null : { parts, masks: inside };
  }
}

/**
 * The masks that lie in any of some parts.
 *
 * @param {Mask[]} masks
 * @param {Part[]} parts
 * @param {View} view
 * @param {number} ratio
 */
function within(masks, parts, view, ratio) {
  return masks.filter((mask) => {
    const own = partOf(mask, view, ratio);
    return parts.some((part) => meets(own, part));
  });
}

/**
 * @param {Map<Mask, string>} before
 * @param {Map<Mask, string>} now
 */
function differing(before, now) {
  const gone = [...before.keys()].filter((mask) => !now.has(mask));
  return [...gone, ...[...now.keys()].filter((mask) => before.get(mask) !== now.get(mask))];
}

/**
 * Whether what stays lies on each other as before.
 *
 * @param {Map<Mask, string>} before
 * @param {Map<Mask, string>} now
 */
function inOrder(before, now) {
  const stays = [...before.keys()].filter((mask) => now.has(mask));
  let at = 0;
  for (const mask of now.keys()) if (mask === stays[at]) at++;
  return at === stays.length;
}

/**
 * @param {Mask} mask
 * @param {View} view
 * @param {number} ratio
 * @returns {Part}
 */
function partOf({ box }, view, ratio) {
  const [left, top] = view.toScreen(box[0], box[1]);
  const [right, bottom] = view.toScreen(box[2], box[3]);
  return [
    Math.floor((left - AROUND) * ratio),
    Math.floor((top - AROUND) * ratio),
    Math.ceil((right + AROUND) * ratio),
    Math.ceil((bottom + AROUND) * ratio),
  ];
}

/** @param {Part} part @param {Part} stage @returns {Part} */
function cut([left, top, right, bottom], [, , wide, high]) {
  return [Math.max(0, left), Math.max(0, top), Math.min(wide, right), Math.min(high, bottom)];
}

/**
 * As few parts as hold the same; two become one where that is no larger than both.
 *
 * @param {Part[]} parts
 */
function joined(parts) {
  /** @type {Part[]} */
  const found = [];
  for (let part of parts.filter(([left, top, right, bottom]) => left < right && top < bottom)) {
    for (let at = found.length - 1; at >= 0; at--) {
      const other = /** @type {Part} */ (found[at]);
      const both = around(part, other);
      if (area(both) > area(part) + area(other)) continue;
      part = both;
      found.splice(at, 1);
      at = found.length;
    }
    found.push(part);
  }
  return found;
}

/** @param {Part} a @param {Part} b @returns {Part} */
function around(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

/** @param {Part} part */
function area([left, top, right, bottom]) {
  return (right - left) * (bottom - top);
}

/** @param {Part} a @param {Part} b */
function meets(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

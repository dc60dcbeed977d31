// @ts-check
/** How masks, points and boxes look. Widths are of the screen: they do not grow with the zoom. */

import { CASE, FILL } from "./palette.js";

/**
 * A mask as the canvas draws it.
 *
 * @typedef {object} Mask
 * @property {string} id
 * @property {import("./rle.js").Runs} runs
 * @property {Pick<import("./outlines.js").Outline, "path">} outline
 * @property {[number, number, number, number]} box Left, top, right, bottom, in the masks' pixels.
 * @property {number} area
 * @property {string} colour
 * @property {boolean} dashed
 * @property {string} label
 */

/**
 * A point that somebody set.
 *
 * @typedef {object} Point
 * @property {number} x
 * @property {number} y
 * @property {0 | 1} label 1 lies on the object.
 */

/** @typedef {import("./view.js").View} View */
/** @typedef {CanvasRenderingContext2D} Ink */

/** What a pointed-at mask gets on top of its fill, so that it comes to .55. */
const MORE = 0.25;

/** Pixels of the screen of one dash and of one gap. */
const DASH = [6, 4];

/**
 * From so many masks on each has a thin contour without a case: a line of one pixel is drawn ten
 * times as fast as a wider one, and a thousand wide ones would hide the picture.
 */
const MANY = 150;

/** Radius of a point. */
const DOT = 8;

/** Whether these are so many that each gets a thin contour. @param {Mask[]} masks */
export function areMany(masks) {
  return masks.length >= MANY;
}

/**
 * @param {Ink} ink In pixels of the picture.
 * @param {Mask[]} masks
 * @param {View} view
 * @param {boolean} [many]
 */
export function paintMasks(ink, masks, view, many = areMany(masks)) {
  const { scale } = view;
  const thin = 1 / (globalThis.devicePixelRatio || 1);
  for (const mask of masks) {
    if (!inSight(mask, view)) continue;
    const path = pathOf(mask, scale);
    ink.globalAlpha = FILL;
    ink.fillStyle = mask.colour;
    ink.fill(path, "evenodd");
    ink.globalAlpha = 1;
    if (!many) stroke(ink, path, CASE, 4 / scale);
    if (mask.dashed) ink.setLineDash(DASH.map((one) => one / scale));
    stroke(ink, path, mask.colour, many ? thin / scale : 2 / scale);
    if (mask.dashed) ink.setLineDash([]);
  }
}

/**
 * @param {Ink} ink
 * @param {Mask} mask
 * @param {View} view
 */
export function paintHovered(ink, mask, { scale }) {
  const path = pathOf(mask, scale);
  ink.globalAlpha = MORE;
  ink.fillStyle = mask.colour;
  ink.fill(path, "evenodd");
  ink.globalAlpha = 1;
  stroke(ink, path, CASE, 5 / scale);
  stroke(ink, path, mask.colour, 3 / scale);
}

/**
 * @param {Ink} ink
 * @param {Mask} mask
 * @param {View} view
 * @param {boolean} waits For an answer.
 */
export function paintSelected(ink, mask, { scale }, waits) {
  const path = pathOf(mask, scale);
  ink.globalAlpha = FILL;
  ink.fillStyle = mask.colour;
  ink.fill(path, "evenodd");
  ink.globalAlpha = 1;
  stroke(ink, path, "#fff", 7 / scale);
  stroke(ink, path, "#111", 4.5 / scale);
  if (waits) ink.setLineDash(DASH.map((one) => one / scale));
  stroke(ink, path, mask.colour, 2.5 / scale);
  ink.setLineDash([]);
}

/**
 * A mask that does not count, while its row is pointed at.
 *
 * @param {Ink} ink
 * @param {Mask} mask
 * @param {View} view
 */
export function paintGhost(ink, mask, { scale }) {
  const path = pathOf(mask, scale);
  stroke(ink, path, CASE, 4 / scale);
  ink.setLineDash(DASH.map((one) => one / scale));
  stroke(ink, path, mask.colour, 2 / scale);
  ink.setLineDash([]);
}

/**
 * @param {Ink} ink In pixels of the screen.
 * @param {Point} point
 * @param {View} view
 */
export function paintPoint(ink, point, view) {
  const [x, y] = view.toScreen(point.x, point.y);
  ink.beginPath();
  ink.arc(x, y, DOT, 0, 2 * Math.PI);
  ink.fillStyle = point.label ? "#16803c" : "#b3261e";
  ink.fill();
  ink.lineWidth = 2;
  ink.strokeStyle = "#fff";
  ink.stroke();
  ink.beginPath();
  ink.moveTo(x - 4, y);
  ink.lineTo(x + 4, y);
  if (point.label) {
    ink.moveTo(x, y - 4);
    ink.lineTo(x, y + 4);
  }
  ink.stroke();
}

/**
 * @param {Ink} ink In pixels of the screen.
 * @param {[number, number, number, number]} box Left, top, right, bottom of the picture.
 * @param {View} view
 */
export function paintBox(ink, box, view) {
  const [left, top] = view.toScreen(box[0], box[1]);
  const [right, bottom] = view.toScreen(box[2], box[3]);
  ink.lineWidth = 3;
  ink.strokeStyle = CASE;
  ink.strokeRect(left, top, right - left, bottom - top);
  ink.lineWidth = 1.5;
  ink.strokeStyle = "#fff";
  ink.setLineDash(DASH);
  ink.strokeRect(left, top, right - left, bottom - top);
  ink.setLineDash([]);
}

/**
 * Where the next point goes that is set by keys.
 *
 * @param {Ink} ink In pixels of the screen.
 * @param {[number, number]} at Of the picture.
 * @param {View} view
 */
export function paintCross(ink, at, view) {
  const [x, y] = view.toScreen(...at);
  for (const [width, colour] of /** @type {[number, string][]} */ ([[4, CASE], [1.5, "#fff"]])) {
    ink.lineWidth = width;
    ink.strokeStyle = colour;
    ink.beginPath();
    for (const [dx, dy] of /** @type {[number, number][]} */ ([[1, 0], [-1, 0], [0, 1], [0, -1]])) {
      ink.moveTo(x + 4 * dx, y + 4 * dy);
      ink.lineTo(x + 16 * dx, y + 16 * dy);
    }
    ink.stroke();
  }
}

/**
 * @param {Mask} mask
 * @param {number} scale Pixels of the page for one of the mask.
 */
function pathOf(mask, scale) {
  return mask.outline.path(scale * (globalThis.devicePixelRatio || 1));
}

/**
 * @param {Mask} mask
 * @param {View} view
 */
function inSight(mask, view) {
  const [left, top] = view.toScreen(mask.box[0], mask.box[1]);
  const [right, bottom] = view.toScreen(mask.box[2], mask.box[3]);
  return right > -8 && bottom > -8 && left < view.width + 8 && top < view.height + 8;
}

/**
 * @param {Ink} ink
 * @param {Path2D} path
 * @param {string} colour
 * @param {number} width
 */
function stroke(ink, path, colour, width) {
  ink.lineWidth = width;
  ink.strokeStyle = colour;
  ink.stroke(path);
}

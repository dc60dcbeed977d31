// @ts-check
/**
 * What counts at a threshold, from a batch's histogram: sums of its bars, so a slider needs no server.
 */

import { svg } from "./dom.js";
import { LEAST, MOST } from "./reading.js";

/**
 * @typedef {{name: string, images: number[], instances: number[]}} Bars By hundredths of the score.
 *
 * @typedef {object} Histogram As `GET /batches/{id}/histogram` answers.
 * @property {boolean} ready
 * @property {string | null} not_yet
 * @property {"always" | "one_threshold" | "about"} exact
 * @property {number} images
 * @property {Bars[]} prompts
 * @property {{images: number[], instances: number[]}} together
 *
 * @typedef {object} Counts
 * @property {number} kept Instances that count.
 * @property {number} stored All of them.
 * @property {{name: string, count: number}[]} prompts
 * @property {boolean} about Whether they are not exact.
 */

/** Columns of a drawn histogram, and their place in its drawing. */
const STEP = 5, COLUMN = 10, TALL = 40;

/**
 * How many have a score of at least a threshold.
 *
 * @param {number[]} bars
 * @param {number} threshold
 */
function atLeast(bars, threshold) {
  let sum = 0;
  for (let at = Math.round(threshold * 100); at < bars.length; at++) sum += bars[at] ?? 0;
  return sum;
}

/**
 * What counts of each prompt.
 *
 * @param {Histogram} histogram
 * @param {number} threshold Of all prompts that have none of their own.
 * @param {(name: string) => number | undefined} [ownThreshold]
 * @returns {Counts}
 */
export function countsAt(histogram, threshold, ownThreshold = () => undefined) {
  let even = true, kept = 0, stored = 0;
  const prompts = histogram.prompts.map(({ name, instances }) => {
    const own = ownThreshold(name) ?? threshold;
    even &&= own === threshold;
    const count = atLeast(instances, own);
    kept += count;
    stored += atLeast(instances, 0);
    return { name, count };
  });
  const exact = histogram.exact === "always" || (histogram.exact === "one_threshold" && even);
  return { kept, stored, prompts, about: !exact };
}

/**
 * Columns of five hundredths each, from the least threshold on; the last holds all above.
 *
 * @param {number[]} bars
 */
export function columns(bars) {
  const first = Math.round(LEAST * 100), last = Math.round(MOST * 100);
  const sums = Array.from({ length: (last - first) / STEP }, () => 0);
  bars.forEach((count, at) => {
    const column = Math.min(sums.length - 1, Math.floor((at - first) / STEP));
    if (column >= 0) sums[column] = (sums[column] ?? 0) + count;
  });
  return sums;
}

/** A histogram that is drawn once and follows a threshold. */
export class HistogramDrawing {
  constructor() {
    this.element = svg("svg", {
      class: "hist hist--lg",
      viewBox: `0 0 ${Math.round((MOST - LEAST) * 100 / STEP) * COLUMN} ${TALL}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    /** @type {SVGElement[]} */
    this._columns = [];
    this._line = svg("line", { class: "at", y1: 0, y2: TALL });
  }

  /** @param {number[]} bars */
  show(bars) {
    const sums = columns(bars), most = Math.max(1, ...sums);
    this._columns = sums.map((sum, at) => {
      // What is there at all can be seen.
      const height = sum ? Math.max(1.5, (sum / most) * (TALL - 2)) : 0;
      const place = { x: at * COLUMN + 1, width: COLUMN - 2, y: TALL - height, height, rx: 1 };
      return svg("rect", place);
    });
    const base = svg("line", { class: "flat", x1: 0, x2: sums.length * COLUMN, y1: TALL, y2: TALL });
    this.element.replaceChildren(base, ...this._columns, this._line);
  }

  /** @param {number} threshold */
  move(threshold) {
    const x = ((threshold - LEAST) * 100 / STEP) * COLUMN;
    this._line.setAttribute("x1", String(x));
    this._line.setAttribute("x2", String(x));
    this._columns.forEach((column, at) => column.classList.toggle("in", (at + 0.5) * COLUMN >= x));
  }
}

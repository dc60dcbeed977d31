// @ts-check
/** How fast a batch went over the last minutes, as a small line beside its figures. */

import { el, show, svg, swap } from "./dom.js";
import { duration, pace, t } from "./words.js";

/** @import { Batch } from "./batch-parts.js" */

/** @typedef {{at: number, ended: number}} Look Seconds, and images that had ended then. */

/** Seconds that are shown at most, between two points, and over which a point is a mean: chunks end at once. */
const SHOWN = 300, STEP = 3, MEAN = 12;

/** Points below which there is no line. */
const FEWEST = 4;

/** Units of the drawing. */
const WIDTH = 120, HEIGHT = 32, INSET = 2;

export class BatchChart {
  /** @param {HTMLElement} box Hidden until there is something to draw. */
  constructor(box) {
    this._box = box;
    /** @type {Look[]} */
    this._looks = [];
    this._drawnAt = 0;
  }

  /**
   * Note how far the batch is.
   *
   * @param {Batch} batch
   * @param {number} [at] Seconds.
   */
  note({ state, done, failed }, at = performance.now() / 1000) {
    const ended = done + failed, last = this._looks.at(-1);
    // Images that are tried again have ended no more: the line begins anew.
    if (last && ended < last.ended) this._looks = [];
    if (state === "active") {
      this._looks.push({ at, ended });
      this._looks = this._looks.filter((one) => at - one.at <= SHOWN + MEAN);
    }
    if (at - this._drawnAt < STEP && this._drawnAt && state === "active") return;
    this._drawnAt = at;
    this._draw(state === "active");
  }

  /** @param {boolean} going */
  _draw(going) {
    const points = speeds(this._looks);
    const some = points.length >= FEWEST && points.some((one) => one > 0);
    show(this._box, some && going);
    if (!some || !going) return;
    const most = Math.max(...points), now = points.at(-1) ?? 0;
    const least = Math.min(...points);
    const across = (/** @type {number} */ n) => (n / (points.length - 1)) * WIDTH;
    const up = (/** @type {number} */ speed) => HEIGHT - INSET - (speed / most) * (HEIGHT - 2 * INSET);
    const line = points.map((speed, n) => `${across(n).toFixed(1)},${up(speed).toFixed(1)}`).join(" ");
    const time = duration((points.length - 1) * STEP);
    const words = t("chart.words", { time, now: pace(now), least: pace(least), most: pace(most) });
    const drawing = svg(
      "svg",
      { class: "chart__line", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": words },
      svg("polygon", { points: `0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}` }),
      svg("polyline", { points: line }),
    );
    swap(this._box, drawing, el("span", { class: "hint num", "aria-hidden": "true" }, t("chart.most", { time, most: pace(most) })));
  }
}

/**
 * Images a second at even steps of time.
 *
 * @param {Look[]} looks In their order.
 * @returns {number[]}
 */
export function speeds(looks) {
  const first = looks[0], last = looks.at(-1);
  if (!first || !last) return [];
  /** @type {number[]} */
  const found = [];
  for (let at = first.at + MEAN; at <= last.at; at += STEP) {
    found.push((endedAt(looks, at) - endedAt(looks, at - MEAN)) / MEAN);
  }
  return found;
}

/**
 * Images that had ended at a moment between two looks.
 *
 * @param {Look[]} looks
 * @param {number} at
 */
function endedAt(looks, at) {
  const next = looks.findIndex((one) => one.at >= at);
  const after = looks[next], before = looks[next - 1];
  if (!after) return looks.at(-1)?.ended ?? 0;
  if (!before) return after.ended;
  return before.ended + ((after.ended - before.ended) * (at - before.at)) / Math.max(1e-6, after.at - before.at);
}

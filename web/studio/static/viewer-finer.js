// @ts-check
/** The switch of the viewer that shows stored masks finer, and what it fetches for it. */

import { get } from "./api.js";
import { el, swap } from "./dom.js";
import { askFiner, sayFiner } from "./finer.js";
import { LEVELS, remember, remembered } from "./fineness.js";
import { ASKED, masksOf } from "./viewer-images.js";
import { t } from "./words.js";

/**
 * @import { Fineness } from "./fineness.js"
 * @import { Mask } from "./paint.js"
 * @import { Ready } from "./viewer-images.js"
 *
 * @typedef {Mask & {refined: Fineness}} FinerMask
 *
 * @typedef {object} Kept What is here of an image.
 * @property {Mask[]} raw As they are stored.
 * @property {Map<string, FinerMask>} made By level and place.
 * @property {{changed: boolean, sentence: string} | null} unseen
 */

export class ViewerFiner {
  /**
   * @param {string} path Of the images of a batch.
   * @param {() => void} onchange Others are to be drawn.
   */
  constructor(path, onchange) {
    this._path = path;
    this._onchange = onchange;
    this._level = remembered();
    /** Whether somebody chose since masks were put. */
    this._chosen = false;
    this._stop = new AbortController();
    /** @type {WeakMap<Ready, Kept>} */
    this._kept = new WeakMap();
    /** @type {Ready | null} What was looked at. */
    this._about = null;
    /** @type {Ready | null} What is on its way. */
    this._asked = null;
    /** @type {unknown} */
    this._error = null;
    const options = LEVELS.map((one) => el("option", { value: one }, t(`refine.${one}`)));
    this._select = el("select", { class: "select select--auto", id: "refine", "aria-describedby": "refine-hint" }, ...options);
    this._select.value = this._level;
    this._hint = el("p", { class: "hint", id: "refine-hint", role: "status" }, t("refine.hint"));
    this._select.addEventListener("change", () => this._choose());
    this.parts = [
      el("div", { class: "setting setting--switch" }, el("label", { for: "refine" }, t("refine.title")), this._select),
      this._hint,
    ];
  }

  _choose() {
    this._level = LEVELS.find((one) => one === this._select.value) ?? "none";
    remember(this._level);
    this._halt();
    this._chosen = true;
    this._onchange();
  }

  _halt() {
    this._stop.abort();
    this._stop = new AbortController();
    this._asked = this._error = null;
  }

  /**
   * Let the masks of an image be those that are wanted, as far as they are here; fetch the others.
   *
   * @param {Ready} ready
   * @param {string[]} why Each does not count; empty: it does.
   */
  put(ready, why) {
    const level = this._level;
    const kept = this._kept.get(ready) ?? { raw: [...ready.masks], made: new Map(), unseen: null };
    this._kept.set(ready, kept);
    if (this._chosen && kept.unseen) {
      // A picture that was of no use may be back.
      kept.unseen = null;
      ready.masks.forEach((_, at) => kept.made.delete(`high ${at}`));
    }
    this._chosen = false;
    const made = (/** @type {number} */ at) => kept.made.get(`${level} ${at}`);
    ready.masks.forEach((_, at) => (ready.masks[at] = made(at) ?? /** @type {Mask} */ (kept.raw[at])));
    if (level === "none") {
      if (this._hint.textContent !== t("refine.hint")) swap(this._hint, t("refine.hint"));
      return;
    }
    const seen = why.flatMap((reason, at) => (reason ? [] : [at]));
    const lacking = seen.filter((at) => !made(at));
    if (this._about !== ready) this._halt();
    this._about = ready;
    if (lacking.length && !this._asked && !this._error) this._fetch(ready, kept, lacking);
    const finer = seen.flatMap((at) => made(at) ?? []);
    sayFiner(this._hint, { level, made: finer, waits: lacking.length, unseen: kept.unseen, error: this._error }, () => {
      this._error = null;
      this._onchange();
    });
  }

  /**
   * @param {Ready} ready
   * @param {Kept} kept
   * @param {number[]} lacking
   */
  async _fetch(ready, kept, lacking) {
    const { signal } = this._stop, level = this._level;
    const url = `${this._path}/${ready.image.seq}`;
    this._asked = ready;
    try {
      await askFiner((query) => get(url, { query: { ...ASKED, ...query }, signal }), lacking, level, (some) => {
        kept.unseen = some.refined?.unseen ?? kept.unseen;
        const image = { ...ready.image, instances: some.instances };
        masksOf(image).forEach((mask, at) => {
          const { ordinal, refined } = some.instances[at];
          kept.made.set(`${level} ${ordinal}`, { ...mask, id: String(ordinal), refined });
        });
        if (!signal.aborted) this._onchange();
      });
    } catch (error) {
      if (signal.aborted) return;
      this._error = error;
    }
    if (signal.aborted) return;
    this._asked = null;
    this._onchange();
  }
}

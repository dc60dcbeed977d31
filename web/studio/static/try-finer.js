// @ts-check
/** Finer masks of what is seen in Try, fetched where they are not here yet. */

import { again } from "./asking.js";
import { swap } from "./dom.js";
import { askFiner, sayFiner } from "./finer.js";
import { t } from "./words.js";

/**
 * @import { Fineness } from "./fineness.js"
 * @import { Instance, Item } from "./items.js"
 * @import { Work } from "./work.js"
 *
 * @typedef {{changed: boolean, sentence: string}} Unseen
 * @typedef {Instance & {refined: Fineness, unseen: Unseen | null}} FinerInstance
 */

/** As masks are shown. */
const HOW = { masks: "rle", which: "stored", scale: "view" };

export class TryFiner {
  /**
   * @param {Work} work
   * @param {HTMLElement} hint
   */
  constructor(work, hint) {
    this.work = work;
    this.hint = hint;
    /** Finer ones of an instance, by level. @type {WeakMap<Instance, Map<Fineness, FinerInstance>>} */
    this.made = new WeakMap();
    /** @type {unknown} */
    this.error = null;
    /** What is on its way. @type {Set<Instance>} */
    this.asked = new Set();
    this.stop = new AbortController();
    /** What was looked at. @type {import("./work.js").Picture | null} */
    this.about = null;
    work.finer = (instance) => this.#made(instance, work.refine) ?? instance;
    work.on("items", () => this.look());
  }

  /** Another level was chosen. */
  change() {
    this.#halt();
    // A picture that was of no use may be back.
    for (const item of this.work.items) {
      if (this.#made(raw(item), "high")?.unseen) this.made.get(raw(item))?.delete("high");
    }
    this.work.rebuild();
  }

  #halt() {
    this.stop.abort();
    this.stop = new AbortController();
    this.asked.clear();
    this.error = null;
  }

  /** Fetch what is seen and not here, and say how it stands. */
  look() {
    const { work } = this;
    if (work.refine === "none") {
      if (this.hint.textContent !== t("refine.hint")) swap(this.hint, t("refine.hint"));
      return;
    }
    if (this.about !== work.picture) this.#halt();
    this.about = work.picture;
    const lacking = work.shown.filter((one) => !this.#made(raw(one), work.refine));
    if (lacking.length && !this.asked.size && !this.error) this.#fetch(lacking);
    const made = work.shown.flatMap((one) => this.#made(raw(one), work.refine) ?? []);
    const unseen = made.find((one) => one.unseen)?.unseen ?? null;
    sayFiner(this.hint, { level: work.refine, made, waits: lacking.length, unseen, error: this.error }, () => {
      this.error = null;
      this.look();
    });
  }

  /** @param {Instance} instance @param {Fineness} level */
  #made(instance, level) {
    return this.made.get(instance)?.get(level);
  }

  /** @param {Item} item Of which prediction it is. */
  #link(item) {
    return (item.edit?.found ? item.edit.link : this.work.picture?.answer?.link) ?? "";
  }

  /** @param {Item[]} lacking */
  async #fetch(lacking) {
    const { work, stop } = this, level = work.refine;
    /** @type {Map<string, Map<number, Instance>>} */
    const links = new Map();
    for (const item of lacking) {
      this.asked.add(raw(item));
      const link = this.#link(item), some = links.get(link) ?? new Map();
      // A correction is the only mask of a prediction of its own.
      links.set(link, some.set(Math.max(0, raw(item).ordinal), raw(item)));
    }
    try {
      for (const [link, some] of links) {
        await askFiner((query) => again(link, { ...HOW, ...query }, stop.signal), [...some.keys()], level, (told) => {
          const unseen = told.refined?.unseen ?? null;
          for (const one of told.instances) this.#take(some.get(one.ordinal), level, { ...one, unseen });
          if (!stop.signal.aborted) work.rebuild();
        });
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      this.error = error;
    }
    if (stop.signal.aborted) return;
    // What did not come is not asked for again and again.
    if (!this.error) for (const item of lacking) if (!this.#made(raw(item), level)) this.#take(raw(item), level, { ...raw(item), refined: "none", unseen: null });
    this.asked.clear();
    this.look();
  }

  /**
   * @param {Instance | undefined} instance
   * @param {Fineness} level
   * @param {FinerInstance} one
   */
  #take(instance, level, one) {
    if (!instance) return;
    const { category, ordinal } = instance;
    const known = this.made.get(instance) ?? new Map();
    this.made.set(instance, known.set(level, { ...one, category, ordinal }));
  }
}

/** @param {Item} item As it is stored. */
function raw(item) {
  return item.edit?.found ?? item.instance;
}

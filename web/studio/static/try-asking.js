// @ts-check
/** Asks again whenever picture or prompts change, and for one object whenever it is corrected. */

import { again, predict } from "./asking.js";
import { questionOf } from "./prompts.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./work.js").Picture} Picture */
/** @typedef {import("./work.js").Edit} Edit */

/** Answers that are kept, for who takes a prompt back. */
const KEPT = 24;

export class Asking {
  /**
   * @param {Work} work
   * @param {import("./try-pictures.js").Pictures} pictures
   * @param {import("./standing.js").Standing} standing
   */
  constructor(work, pictures, standing) {
    this.work = work;
    this.pictures = pictures;
    this.standing = standing;
    this.stop = new AbortController();
    /** @type {Map<string, import("./work.js").Answer>} */
    this.known = new Map();
    /** Numbers questions about single objects, and how many of them are on their way. */
    this.count = 0;
    this.open = 0;
    /** @type {unknown} Why the last of them failed. */
    this.fault = null;
    /** @type {Picture | null} */
    this.about = null;
    this.key = "";
    work.on("prompts", () => this.whole());
    work.on("pictures", () => this.whole());
  }

  /** Ask for all prompts, unless that is answered or on its way. */
  async whole() {
    const { work } = this;
    const { picture } = work;
    const key = JSON.stringify(questionOf(work));
    if (!picture || (this.about === picture && this.key === key)) return;
    this.about = picture;
    this.key = key;
    this.stop.abort();
    if (!work.prompts.length || picture.answer?.key === key) {
      this.#settle(picture);
      return;
    }
    this.stop = new AbortController();
    this.standing.say(null);
    await this.#ask(picture, key, this.stop.signal);
  }

  /** Ask anew what failed: for all prompts, and for every object that got no answer. */
  retry() {
    const { picture } = this.work;
    this.key = "";
    this.whole();
    const missed = picture?.edits.now.filter((one) => one.missed) ?? [];
    for (const edit of missed) {
      this.#amend(/** @type {Picture} */ (picture), edit.waits, { missed: false });
      this.object(/** @type {Picture} */ (picture), edit);
    }
  }

  /**
   * @param {Picture} picture
   * @param {string} key
   * @param {AbortSignal} signal
   */
  async #ask(picture, key, signal) {
    const { work, standing } = this;
    const prompts = work.prompts.map(({ name, text }) => ({ name, text }));
    const question = questionOf(work);
    try {
      const origin = await this.pictures.brought(picture);
      const known = this.known.get(JSON.stringify([origin, key]));
      if (!signal.aborted) standing.set({ phase: "asking", since: performance.now() });
      const told = known ?? { ...(await predict({ ...origin, ...question }, signal)), key, prompts };
      if (signal.aborted) return;
      this.#keep(JSON.stringify([origin, key]), told);
      // What was corrected lies on the picture; what it replaced may be another instance now.
      if (picture.answer && picture.answer.key !== key) picture.edits.amend(apart);
      picture.answer = told;
      standing.set("ms" in told ? { phase: "done", ms: Number(told.ms) } : { phase: "done" });
      if (work.picture === picture) work.rebuild();
      work.tell("pictures");
    } catch (error) {
      if (signal.aborted) return;
      standing.set({ phase: "failed", error, retry: () => this.retry() });
    }
  }

  /**
   * Take up what an earlier page of this tab was told.
   *
   * @param {Picture} picture
   * @param {{key: string, link: string, prompts: {name: string, text: string}[]}} before
   */
  async resume(picture, before) {
    const told = await again(before.link).catch(() => null);
    if (!told) return;
    picture.answer = { ...told, key: before.key, prompts: before.prompts };
  }

  /**
   * Ask for the mask of one object alone.
   *
   * @param {Picture} picture
   * @param {Edit} edit As it stands in the present step.
   */
  async object(picture, edit) {
    const { work, standing } = this;
    const { width, height } = work.size;
    const part = (/** @type {number} */ value, /** @type {number} */ all) => Math.min(1, Math.max(0, value / all));
    const { box, points } = edit;
    const object = {
      class: edit.name,
      ...(box ? { box: [part(box[0], width), part(box[1], height), part(box[2], width), part(box[3], height)] } : {}),
      ...(points.length ? { points: points.map((one) => [part(one.x, width), part(one.y, height), one.label]) } : {}),
    };
    this.open++;
    standing.say(null);
    standing.set({ phase: "asking", since: performance.now() });
    try {
      const origin = await this.pictures.brought(picture);
      const told = await predict({ ...origin, objects: [object], unit: "fraction" });
      const found = told.instances[0] ?? null;
      if (found) Object.assign(found, { category: edit.name, ordinal: -1 });
      this.#amend(picture, edit.waits, { found, link: told.link, waits: 0 });
      this.open--;
      // One of several: the strip goes on to tell of what has no answer.
      if (picture.edits.now.some((one) => one.missed)) this.#failed();
      else if (!this.open) standing.set({ phase: "done", ms: told.ms });
    } catch (error) {
      this.open--;
      this.fault = error;
      this.#amend(picture, edit.waits, { missed: true });
      this.#failed();
    }
  }

  /**
   * Ask again what an earlier page of this tab was not told.
   *
   * @param {Picture} picture Which is shown, so that the size of its masks is known.
   */
  takeUp(picture) {
    const left = picture.edits.now.filter((one) => one.waits < 0).map((one) => ({ ...one, waits: ++this.count }));
    const asked = new Map(left.map((one) => [one.id, one]));
    picture.edits.amend((step) => step.map((one) => (one.waits < 0 ? (asked.get(one.id) ?? one) : one)));
    for (const edit of left) this.object(picture, edit);
  }

  #failed() {
    this.standing.set({ phase: "failed", error: this.fault, retry: () => this.retry() });
  }

  /**
   * @param {Picture} picture
   * @param {number} number Of the question.
   * @param {Partial<Edit>} change
   */
  #amend(picture, number, change) {
    picture.edits.amend((step) => step.map((one) => (one.waits === number ? { ...one, ...change } : one)));
    if (this.work.picture === picture) this.work.rebuild();
  }

  /** @param {Picture} picture */
  #settle(picture) {
    if (!this.work.prompts.length) picture.answer = null;
    if (["asking", "failed"].includes(this.standing.now.phase)) this.standing.set({ phase: "idle" });
    // Another picture that is on its way to the canvas brings its masks with it.
    if (this.pictures.seen === picture) this.work.rebuild();
  }

  /**
   * @param {string} key
   * @param {import("./work.js").Answer} answer
   */
  #keep(key, answer) {
    this.known.delete(key);
    this.known.set(key, answer);
    for (const old of this.known.keys()) {
      if (this.known.size <= KEPT) return;
      this.known.delete(old);
    }
  }
}

/**
 * A correction of an instance as an object of its own.
 *
 * @param {Edit[]} step
 */
function apart(step) {
  return step.filter((one) => one.found || one.waits).map((one) => ({ ...one, replaces: null }));
}

// @ts-check
/**
 * What somebody works on in Try: pictures, prompts, what was answered and corrected, what counts.
 *
 * Parts of the page change it and tell so; others listen. It knows neither elements nor requests.
 */

import { maskOf } from "./items.js";
import { look } from "./palette.js";
import { reasons, usual } from "./reading.js";
import { Undo } from "./undo.js";

/** @typedef {import("./prompts.js").Prompt} Prompt */
/** @typedef {import("./reading.js").Reading} Reading */
/** @typedef {import("./items.js").Instance} Instance */
/** @typedef {import("./items.js").Item} Item */
/** @typedef {import("./paint.js").Point} Point */
/** @typedef {[number, number, number, number]} Box */
/** @typedef {{upload: string, file: string} | {batch: string, image: number}} Origin */

/**
 * @typedef {object} Picture
 * @property {string} name
 * @property {Origin | null} origin null until it is in the pool.
 * @property {Blob | null} blob Until then.
 * @property {Answer | null} answer The last one.
 * @property {Undo<Edit[]>} edits
 */

/**
 * @typedef {object} Answer
 * @property {string} key What was asked.
 * @property {string} link Where it can be asked for again.
 * @property {{name: string, text: string}[]} prompts That were asked.
 * @property {Instance[]} instances
 * @property {import("./asking.js").Scores[]} scores What the model thought of each of them.
 * @property {number} width Of the picture itself, pixels.
 * @property {number} height
 * @property {import("./asking.js").Tiled | null} tiles How it was looked at; null where no tiles were asked for.
 */

/**
 * What somebody said of one object.
 *
 * @typedef {object} Edit
 * @property {string} id
 * @property {number | null} replaces Ordinal of the instance that it corrects.
 * @property {string} name Of the category.
 * @property {Point[]} points In the masks' pixels.
 * @property {Box | null} box
 * @property {Instance | null} found
 * @property {string} link Of the prediction.
 * @property {number} waits Number of the question that is not answered; 0: none; -1: it was asked by an earlier page.
 * @property {boolean} missed That question got no answer; it is asked again with the next retry.
 * @property {boolean} gone It was left out.
 */

/** @typedef {"pictures" | "prompts" | "reading" | "items" | "selection" | "hover" | "standing"} Topic */

/** @param {string} name @param {Blob | null} blob @param {Origin | null} origin @returns {Picture} */
export function newPicture(name, blob, origin) {
  return { name, blob, origin, answer: null, edits: new Undo(/** @type {Edit[]} */ ([])) };
}

export class Work {
  constructor() {
    /** @type {Prompt[]} */
    this.prompts = [];
    /** @type {Reading} */
    this.reading = usual();
    /** Name of the prompt that the slider is for; empty: all. */
    this.readingFor = "";
    /** Whether large pictures are looked at in tiles, too. @type {"off" | "auto"} */
    this.tiles = "off";
    /** How fine masks are shown. @type {import("./fineness.js").Fineness} */
    this.refine = "none";
    /** An instance as it is shown, where a finer one is here. @type {(instance: Instance) => Instance} */
    this.finer = (instance) => instance;
    /** @type {Picture[]} */
    this.pictures = [];
    this.at = 0;
    /** @type {Item[]} */
    this.items = [];
    this.selectedId = "";
    this.hoveredId = "";
    /** Whether rows of what does not count are shown. */
    this.rest = false;
    /** Of the masks, pixels. */
    this.size = { width: 0, height: 0 };
    this.news = new EventTarget();
  }

  /** @returns {Picture | null} */
  get picture() {
    return this.pictures[this.at] ?? null;
  }

  get edits() {
    return this.picture?.edits.now ?? [];
  }

  get selected() {
    return this.items.find((one) => one.id === this.selectedId) ?? null;
  }

  /** Those that are drawn. */
  get shown() {
    return this.items.filter((one) => one.reason === "" && !one.hidden);
  }

  /**
   * @param {Topic} topic
   * @param {() => void} listener
   */
  on(topic, listener) {
    this.news.addEventListener(topic, listener);
  }

  /** @param {...Topic} topics */
  tell(...topics) {
    for (const topic of topics) this.news.dispatchEvent(new Event(topic));
  }

  /** @param {string} id */
  select(id) {
    if (id === this.selectedId) return;
    this.selectedId = id;
    this.tell("selection");
  }

  /** @param {string} id */
  hover(id) {
    if (id === this.hoveredId) return;
    this.hoveredId = id;
    this.tell("hover");
  }

  /** @param {Prompt[]} prompts */
  setPrompts(prompts) {
    this.prompts = prompts;
    const names = new Set(prompts.map((one) => one.name));
    if (!names.has(this.readingFor)) this.readingFor = "";
    this.rebuild();
    this.tell("prompts", "reading");
  }

  /** @param {Partial<Reading>} change */
  read(change) {
    this.reading = { ...this.reading, ...change };
    this.judge();
    this.tell("reading", "items");
  }

  /** @param {Edit[]} edits The next step, which undo takes back. */
  edit(edits) {
    this.picture?.edits.push(edits);
    this.rebuild();
  }

  /** Make the items anew, as after an answer. */
  rebuild() {
    const answer = this.picture?.answer ?? null;
    const edits = new Map(this.edits.filter((one) => one.replaces !== null).map((one) => [one.replaces, one]));
    /** @type {Map<string, number>} */
    const counted = new Map();
    const next = (/** @type {string} */ name) => {
      const count = (counted.get(name) ?? 0) + 1;
      counted.set(name, count);
      return count;
    };
    const found = (answer?.instances ?? []).map((one) =>
      this.#item(`s${one.ordinal}`, one, answer?.prompts[one.prompt]?.name ?? one.category, next, edits.get(one.ordinal))
    );
    const drawn = this.edits.filter((one) => one.replaces === null && one.found);
    const made = drawn.map((one) => this.#item(one.id, /** @type {Instance} */ (one.found), one.name, next, one));
    this.items = [...found, ...made];
    if (this.selectedId && !this.selected && !this.edits.some((one) => one.id === this.selectedId)) {
      this.selectedId = "";
    }
    this.judge();
    this.tell("items", "selection");
  }

  /** Decide again what counts. */
  judge() {
    const asked = this.picture?.answer?.prompts.map((one) => one.name) ?? [];
    const stored = this.items.map((one) => (one.edit?.found ? { ...one.edit.found, object_index: 0 } : one.instance));
    const why = reasons(stored, this.reading, asked);
    const living = new Map(this.prompts.map((one) => [one.name, one]));
    this.items.forEach((item, at) => {
      item.reason = item.edit?.gone ? "gone" : (why[at] ?? "");
      item.hidden = living.get(item.name)?.hidden ?? false;
      // A prompt that was taken away takes its masks with it; what somebody drew stays.
      if (!item.edit && !living.has(item.name)) item.reason = "prompt";
    });
  }

  /**
   * @param {string} id
   * @param {Instance} instance
   * @param {string} name
   * @param {(name: string) => number} next
   * @param {Edit | undefined} edit
   * @returns {Item}
   */
  #item(id, instance, name, next, edit) {
    const slot = this.slotOf(name);
    const shown = this.finer(edit?.found ?? instance);
    const number = next(name);
    const mask = maskOf(shown, id, look(slot), `${name} ${number}`);
    return { id, instance, shown, mask, name, number, slot, edit: edit ?? null, reason: "", hidden: false };
  }

  /** @param {string} name */
  slotOf(name) {
    const known = this.prompts.find((one) => one.name === name)?.slot;
    return known ?? Math.max(-1, ...this.prompts.map((one) => one.slot)) + 1;
  }
}

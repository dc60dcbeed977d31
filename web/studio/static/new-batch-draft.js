// @ts-check
/** What somebody typed of a new batch; it outlives a reload, in this browser. */

import { newKey, root } from "./api.js";
import { nothingAsked } from "./spec-form.js";

/**
 * @import { ChosenPlace } from "./places-form.js"
 * @import { CarriedPicture } from "./carry.js"
 * @import { Asked } from "./spec-form.js"
 *
 * @typedef {object} Draft What is typed; it outlives a reload.
 * @property {Asked} asked
 * @property {"upload" | "places" | "list"} source
 * @property {string} list Addresses.
 * @property {ChosenPlace[]} places
 * @property {CarriedPicture[]} brought Pictures from Try, each in an upload of its own.
 * @property {number} broughtAt Which of them was open there; -1: none of them.
 * @property {number} broughtLeft How many of Try's pictures did not come along.
 * @property {string} name
 * @property {string} proposed Its name, where none is given.
 * @property {string} priority
 * @property {string} klass
 * @property {string} team
 * @property {string} key Of the request: a second click makes no second batch.
 * @property {string} sampled The sample that this is the whole of; empty: of none.
 */

const KEPT = `maskpool.new-batch${root}`, SAMPLED = `maskpool.sampled${root}`;

/** @returns {Draft} */
export function newDraft() {
  return {
    asked: nothingAsked(),
    source: "upload",
    list: "",
    places: [],
    brought: [],
    broughtAt: -1,
    broughtLeft: 0,
    name: "",
    proposed: "",
    priority: "normal",
    klass: "bulk",
    team: "",
    key: newKey(),
    sampled: "",
  };
}

/** @returns {Draft} */
export function readDraft() {
  try {
    return Object.assign(newDraft(), JSON.parse(localStorage.getItem(KEPT) ?? "{}"));
  } catch {
    return newDraft();
  }
}

/**
 * Keep it. A browser keeps some 5 MB: the list of a large batch has more, and would not be there after a reload.
 *
 * @param {Draft} draft
 * @returns {boolean} Whether all of it is kept; false: all but the list.
 */
export function keepDraft(draft) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(draft));
    return true;
  } catch {
    localStorage.setItem(KEPT, JSON.stringify({ ...draft, list: "" }));
    return false;
  }
}

/**
 * Keep what a sample was made of, for its whole: that of the latest sample alone.
 *
 * @param {string} sample
 * @param {Draft} draft
 */
export function keepSampled(sample, draft) {
  const { source, list, places, brought, broughtAt, name, proposed, priority, klass, team } = draft;
  try {
    localStorage.setItem(SAMPLED, JSON.stringify({ sample, source, list, places, brought, broughtAt, name, proposed, priority, klass, team }));
  } catch {
    localStorage.removeItem(SAMPLED);
  }
}

/**
 * What a sample was made of; null where it was made elsewhere, or its list was too long to be kept.
 *
 * @param {string} sample
 * @returns {Partial<Draft> | null}
 */
export function readSampled(sample) {
  try {
    const { sample: known, ...draft } = JSON.parse(localStorage.getItem(SAMPLED) ?? "{}");
    return known === sample ? draft : null;
  } catch {
    return null;
  }
}

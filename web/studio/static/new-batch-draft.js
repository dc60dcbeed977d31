// @ts-check
/** What somebody typed of a new batch; it outlives a reload, in this browser. */

import { newKey, root } from "./api.js";
import { nothingAsked } from "./spec-form.js";

/**
 * @import { ChosenPlace } from "./places-form.js"
 * @import { Asked } from "./spec-form.js"
 *
 * @typedef {object} Draft What is typed; it outlives a reload.
 * @property {Asked} asked
 * @property {"upload" | "places" | "list"} source
 * @property {string} list Addresses.
 * @property {ChosenPlace[]} places
 * @property {string} name
 * @property {string} proposed Its name, where none is given.
 * @property {string} priority
 * @property {string} klass
 * @property {string} team
 * @property {string} key Of the request: a second click makes no second batch.
 */

const KEPT = `maskpool.new-batch${root}`;

/** @returns {Draft} */
export function newDraft() {
  return {
    asked: nothingAsked(),
    source: "upload",
    list: "",
    places: [],
    name: "",
    proposed: "",
    priority: "normal",
    klass: "bulk",
    team: "",
    key: newKey(),
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

/** @param {Draft} draft */
export function keepDraft(draft) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(draft));
  } catch {
    // A browser keeps some 5 MB: the list of a large batch has more, and is not there after a reload.
    localStorage.setItem(KEPT, JSON.stringify({ ...draft, list: "" }));
  }
}

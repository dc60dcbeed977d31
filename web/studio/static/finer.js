// @ts-check
/** Finer masks, asked for some at once, and what is said of them. */

import { explain } from "./api.js";
import { el, icon, swap } from "./dom.js";
import { count, t } from "./words.js";

/**
 * @import { Fineness } from "./fineness.js"
 *
 * @typedef {object} Some An answer of the API.
 * @property {any[]} instances
 * @property {{unseen: {changed: boolean, sentence: string} | null} | null} refined
 *
 * @typedef {object} Stand
 * @property {Fineness} level
 * @property {{refined: Fineness}[]} made Of the masks that are seen.
 * @property {number} waits How many of them are on their way.
 * @property {{changed: boolean, sentence: string} | null} unseen
 * @property {unknown} error
 */

/** Masks of one request: more might take longer than it may. */
const AT_ONCE = { none: 0, low: 40, medium: 40, high: 10 };

/**
 * Ask for finer masks; what came is told some by some.
 *
 * @param {(query: Record<string, string>) => Promise<Some>} ask
 * @param {number[]} ordinals
 * @param {Fineness} level
 * @param {(some: Some) => void} onsome
 */
export async function askFiner(ask, ordinals, level, onsome) {
  for (let at = 0; at < ordinals.length; at += AT_ONCE[level]) {
    const only = ordinals.slice(at, at + AT_ONCE[level]).join(",");
    onsome(await ask({ refine: level, only }));
  }
}

/**
 * Say how it stands.
 *
 * @param {HTMLElement} hint
 * @param {Stand} stand
 * @param {() => void} again
 */
export function sayFiner(hint, { level, made, waits, unseen, error }, again) {
  hint.classList.toggle("hint--bad", Boolean(error));
  if (error) {
    const retry = el("button", { class: "btn btn--ghost", type: "button", onclick: again }, icon("reset"), t("again"));
    swap(hint, explain(error), " ", retry);
    return;
  }
  if (waits) {
    swap(hint, t("refine.waits", { count: waits }));
    return;
  }
  const blind = level === "high" ? unseen : null, most = blind ? "medium" : level;
  const rank = (/** @type {Fineness} */ one) => Object.keys(AT_ONCE).indexOf(one);
  const less = made.filter((one) => rank(one.refined) < rank(most)).length;
  const parts = [];
  if (blind) parts.push(t(blind.changed ? "refine.changed" : "refine.gone"));
  if (less) parts.push(t("refine.less", { less: count(less), all: count(made.length) }));
  const words = parts.join(" ") || (made.length ? t("refine.all", { count: made.length }) : "");
  if (hint.textContent !== words) swap(hint, words);
  hint.title = blind?.sentence ?? "";
}

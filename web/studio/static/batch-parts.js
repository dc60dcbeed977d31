// @ts-check
/** How a batch's state and progress are shown, on every page alike. */

import { el, svg } from "./dom.js";
import { count, t } from "./words.js";

/**
 * @typedef {{images: number, seed: number, of: number}} Sample
 *
 * @typedef {object} Batch As `GET /batches` shows it.
 * @property {string} id
 * @property {string} name
 * @property {string} owner
 * @property {string | null} team
 * @property {"loading" | "active" | "paused" | "done" | "cancelled"} state
 * @property {"now" | "bulk"} class
 * @property {"low" | "normal" | "high"} priority
 * @property {string} model
 * @property {string} source
 * @property {Sample | null} sample Of which pictures of its source it is; null: of all.
 * @property {number} total
 * @property {number} loaded
 * @property {number} done
 * @property {number} failed
 * @property {number} gpu_seconds
 * @property {string} created_at
 * @property {string | null} finished_at
 */

/**
 * Where its images come from, for people: an upload has no name but its id.
 *
 * @param {Batch} batch
 */
export function sourceOf({ source }) {
  return source.startsWith("upload:") ? t("batch.source.upload") : source;
}

/**
 * What the model is asked for a prompt, where that is not its name: of a Chinese one, in English.
 *
 * @param {Record<string, any>} spec
 * @returns {Record<string, string>} By name.
 */
export function sentTexts(spec) {
  const prompts = /** @type {{name: string, text: string}[]} */ (spec.prompts);
  return Object.fromEntries(prompts.filter(({ name, text }) => name !== text).map(({ name, text }) => [name, text]));
}

/**
 * A negative of a prompt as somebody typed it.
 *
 * @param {Record<string, any>} spec
 * @param {number} prompt
 * @param {string} negative As it was sent.
 */
export function typedNegative(spec, prompt, negative) {
  const { not = [], typed = [] } = spec.prompts[prompt] ?? {};
  return typed[not.indexOf(negative)] ?? negative;
}

/**
 * Of how many pictures it is a sample.
 *
 * @param {Sample} sample
 */
export function sampleWords({ images, of }) {
  return images < of ? t("sample.of", { images: count(images), count: of }) : t("sample.all");
}

/** @param {Batch} batch */
export function hasEnded(batch) {
  return batch.state === "done" || batch.state === "cancelled";
}

/**
 * A dot and a word.
 *
 * @param {Batch} batch
 */
export function stateLabel(batch) {
  const [dot, word] = stateOf(batch);
  return el("span", { class: "state" }, el("span", { class: `dot ${dot}` }), word);
}

/**
 * @param {Batch} batch
 * @returns {[string, string]}
 */
function stateOf({ state, done, failed }) {
  if (state === "loading") return ["dot--hollow", t("batch.state.loading")];
  if (state === "paused") return ["", t("batch.state.paused")];
  if (state === "cancelled") return ["dot--hollow", t("batch.state.cancelled")];
  if (state === "done") {
    return failed
      ? ["dot--warn", t("batch.state.done_failed", { count: failed })]
      : ["dot--ok", t("batch.state.done")];
  }
  return done + failed ? ["dot--work", t("batch.state.running")] : ["dot--hollow", t("batch.state.waiting")];
}

/**
 * A bar of what is done and what failed.
 *
 * @param {Batch} batch
 * @param {boolean} [large]
 */
export function progressBar(batch, large = false) {
  const all = Math.max(1, batch.total);
  const done = (batch.done / all) * 100, failed = (batch.failed / all) * 100;
  const kind = batch.state === "done" ? "fin" : batch.state === "active" ? "done" : "held";
  const drawing = svg(
    "svg",
    { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: kind, width: done, height: 4 }),
    svg("rect", { class: "fail", x: done, width: failed, height: 4 }),
  );
  return el(
    "span",
    {
      class: large ? "bar bar--lg" : "bar",
      role: "progressbar",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      "aria-valuenow": Math.round(done + failed),
      "aria-label": t("batch.progress"),
    },
    drawing,
  );
}

/**
 * A thin bar of a share.
 *
 * @param {number} share 0 to 1.
 * @param {string} kind Class of its colour.
 */
export function shareBar(share, kind) {
  const rect = svg("rect", { class: kind, width: Math.max(0, Math.min(1, share)) * 100, height: 4 });
  const view = { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" };
  return el("span", { class: "bar" }, svg("svg", view, rect));
}

/** How fast batches go, from one look at them to the next. */
export class Paces {
  constructor() {
    /** @type {Map<string, {at: number, ended: number}[]>} */
    this._looks = new Map();
  }

  /**
   * Note how far a batch is; images a second over the last half minute, null where that is unknown.
   *
   * @param {Batch} batch
   */
  measure({ id, state, done, failed }) {
    if (state !== "active") {
      this._looks.delete(id);
      return null;
    }
    const now = performance.now() / 1000;
    const looks = (this._looks.get(id) ?? []).filter((one) => now - one.at < 30);
    looks.push({ at: now, ended: done + failed });
    this._looks.set(id, looks);
    const [first] = looks;
    const seconds = first ? now - first.at : 0;
    return first && seconds >= 2 && done + failed > first.ended ? (done + failed - first.ended) / seconds : null;
  }
}

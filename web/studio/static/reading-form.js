// @ts-check
/** What counts, as a form: threshold, overlap, the strength of "not", one object one class. */

import { el } from "./dom.js";
import { LEAST, MOST } from "./reading.js";
import { number, t } from "./words.js";

/** @import { Reading } from "./spec-form.js" */

/** @type {Record<string, string>} */
const WORDS = {
  threshold: "reading.threshold",
  max_overlap: "reading.overlap",
  max_against: "reading.not",
};

/**
 * A form over settings, which it changes.
 *
 * @param {object} how
 * @param {() => Reading} how.reading
 * @param {() => void} how.onchange While a slider moves, too.
 * @param {string} how.noOverlap What it means that no overlap is said.
 * @param {() => number | null} [how.usualOverlap] Where the slider stands then, if the model has a usual one.
 * @param {HTMLElement} [how.above] Over the slider of the threshold: a histogram, which shares its scale.
 * @returns {{element: HTMLElement, draw: () => void}}
 */
export function readingForm({ reading, onchange, noOverlap, usualOverlap = () => null, above }) {
  const threshold = range("threshold", LEAST, MOST, 0.01);
  const top = el(
    "div",
    { class: "thresh" },
    el("div", { class: "thresh__top" }, label("threshold"), threshold.output),
    above,
    threshold.field,
    el("div", { class: "scale", "aria-hidden": "true" }, el("span", {}, number(LEAST, 2)), el("span", {}, number(MOST, 2))),
  );
  const overlap = range("max_overlap", 0, 1, 0.05), against = range("max_against", 0, 1, 0.05);
  const exclusive = el("input", { class: "switch", type: "checkbox", role: "switch" });
  const row = (/** @type {string} */ name, /** @type {ReturnType<typeof range>} */ { field, output }) =>
    el("div", { class: "setting" }, label(name), field, output);
  const element = el(
    "div",
    { class: "reading" },
    top,
    row("max_overlap", overlap),
    row("max_against", against),
    el("label", { class: "setting setting--switch" }, el("span", {}, t("reading.exclusive")), exclusive),
  );
  const draw = () => {
    const now = reading();
    threshold.set(now.threshold, number(now.threshold, 2));
    const most = now.max_overlap ?? usualOverlap();
    overlap.set(most ?? 1, most === null ? noOverlap : number(most, 2));
    // The stronger a "not" is, the less may speak against what counts.
    against.set(other(now.max_against), number(other(now.max_against), 2));
    exclusive.checked = now.exclusive;
  };
  const change = (/** @type {Partial<Reading>} */ some) => {
    Object.assign(reading(), some);
    draw();
    onchange();
  };
  threshold.field.addEventListener("input", () => change({ threshold: Number(threshold.field.value) }));
  overlap.field.addEventListener("input", () => change({ max_overlap: Number(overlap.field.value) }));
  against.field.addEventListener("input", () => change({ max_against: other(Number(against.field.value)) }));
  exclusive.addEventListener("change", () => change({ exclusive: exclusive.checked }));
  draw();
  return { element, draw };
}

/** @param {number} share */
function other(share) {
  return Math.round((1 - share) * 100) / 100;
}

/** @param {string} name */
function label(name) {
  return el("label", { class: "muted", for: `reading-${name}` }, t(WORDS[name] ?? name));
}

/**
 * @param {string} name
 * @param {number} min
 * @param {number} max
 * @param {number} step
 */
function range(name, min, max, step) {
  const id = `reading-${name}`;
  const field = el("input", { class: "range", id, type: "range", min, max, step });
  const output = el("output", { class: "num", for: id });
  const set = (/** @type {number} */ value, /** @type {string} */ shown) => {
    field.value = String(value);
    field.setAttribute("aria-valuetext", shown);
    output.textContent = shown;
  };
  return { field, output, set };
}

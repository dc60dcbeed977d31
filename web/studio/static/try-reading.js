// @ts-check
/** What counts: sliders that act on what is stored, and a histogram of its scores. */

import { byId, el, on, show, svg, swap } from "./dom.js";
import { later } from "./later.js";
import { histogram, LEAST, MOST } from "./reading.js";
import { number, t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */

/** Bars of the histogram, each of .05. */
const BINS = 18;

/** Width and height of the histogram's drawing. */
const WIDE = 180, HIGH = 40;

/** @param {Work} work */
export function wireReading(work) {
  const input = (/** @type {string} */ id) => byId(id, HTMLInputElement);
  const forWhom = byId("reading-for", HTMLSelectElement);
  const [threshold, overlap, against, exclusive] = ["threshold", "overlap", "against", "exclusive"].map(input);
  if (!threshold || !overlap || !against || !exclusive) return;
  on(threshold, "input", () => setThreshold(work, Number(threshold.value)));
  on(overlap, "input", () => {
    const most = Number(overlap.value);
    work.read({ max_overlap: most >= 1 ? null : most });
  });
  on(against, "input", () => work.read({ max_against: round(1 - Number(against.value)) }));
  on(exclusive, "change", () => work.read({ exclusive: exclusive.checked }));
  on(forWhom, "change", () => {
    work.readingFor = forWhom.value;
    work.tell("reading", "prompts");
  });
  const draw = () => {
    drawNames(work, forWhom);
    threshold.value = String(thresholdOf(work));
    overlap.value = String(work.reading.max_overlap ?? 1);
    against.value = String(round(1 - work.reading.max_against));
    exclusive.checked = work.reading.exclusive;
    figure("threshold-out", threshold);
    figure("overlap-out", overlap);
    figure("against-out", against);
    show(document.querySelector("[data-act=as-all]"), ownThreshold(work) !== null);
    drawHistogram(work);
  };
  work.on("reading", draw);
  /** A slider leaves the items as they are; an answer makes others. */
  let drawn = work.items;
  const after = later(() => drawHistogram(work));
  work.on("items", () => {
    if (drawn !== work.items) after();
    drawn = work.items;
  });
  draw();
}

/** The least score of the prompt that the slider is for, if it has one of its own. @param {Work} work */
function ownThreshold(work) {
  return work.readingFor ? (work.reading.prompts[work.readingFor]?.threshold ?? null) : null;
}

/** @param {Work} work */
export function thresholdOf(work) {
  return ownThreshold(work) ?? work.reading.threshold;
}

/**
 * @param {Work} work
 * @param {number} value
 */
export function setThreshold(work, value) {
  const least = Math.min(MOST, Math.max(LEAST, round(value)));
  const name = work.readingFor;
  if (!name) work.read({ threshold: least });
  else {
    const own = { ...work.reading.prompts[name], threshold: least };
    work.read({ prompts: { ...work.reading.prompts, [name]: own } });
  }
}

/** The slider's prompt goes with all others again. @param {Work} work */
export function asAll(work) {
  const { [work.readingFor]: _gone, ...prompts } = work.reading.prompts;
  work.read({ prompts });
}

/**
 * @param {Work} work
 * @param {HTMLSelectElement} select
 */
function drawNames(work, select) {
  const names = ["", ...work.prompts.map((one) => one.name)];
  const shown = [...select.options].map((one) => one.value);
  if (JSON.stringify(names) !== JSON.stringify(shown)) {
    swap(select, names.map((name) => el("option", { value: name }, name || t("reading.all"))));
  }
  select.value = work.readingFor;
}

/**
 * @param {string} id
 * @param {HTMLInputElement} slider
 */
function figure(id, slider) {
  const text = number(Number(slider.value), 2);
  byId(id, HTMLOutputElement).value = text;
  slider.setAttribute("aria-valuetext", text);
}

/** @param {Work} work */
function drawHistogram(work) {
  const hist = byId("hist", SVGElement);
  const of = work.items.filter((one) => !one.edit && (!work.readingFor || one.name === work.readingFor));
  const counts = histogram(of.map((one) => one.instance.score), BINS);
  const most = Math.max(...counts);
  const least = thresholdOf(work);
  const at = ((least - LEAST) / (MOST - LEAST)) * WIDE;
  const step = WIDE / BINS;
  const drawn = JSON.stringify([counts, hist.childElementCount]);
  const inside = (/** @type {number} */ bin) => ((bin + 1) * step > at + 0.01 ? "in" : "");
  // A step of the slider moves the line and leaves the bars where they are.
  if (hist.dataset.drawn === drawn && most) {
    [...hist.children].forEach((one, bin) => one.setAttribute("class", bin < BINS ? inside(bin) : "at"));
    hist.lastElementChild?.setAttribute("d", `M${at} 0V${HIGH}`);
    return;
  }
  const bars = counts.map((count, bin) => {
    // One instance among a thousand is to be seen as well.
    const height = count ? Math.max(2, Math.sqrt(count / most) * HIGH) : 0;
    const x = bin * step + 0.75;
    const place = { x, y: HIGH - height, width: step - 1.5, height, rx: 1 };
    return svg("rect", { ...place, class: inside(bin) });
  });
  if (most) hist.replaceChildren(...bars, svg("path", { class: "at", d: `M${at} 0V${HIGH}` }));
  else hist.replaceChildren(svg("path", { class: "flat", d: `M0 ${HIGH - 0.5}H${WIDE}` }));
  hist.dataset.drawn = JSON.stringify([counts, hist.childElementCount]);
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 1000) / 1000;
}

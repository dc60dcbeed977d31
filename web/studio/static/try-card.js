// @ts-check
/** The card of the selected mask, beside it wherever there is room, and the tip of the one pointed at. */

import { byId, el, icon, iconButton, show, svg, swap } from "./dom.js";
import { later } from "./later.js";
import { look } from "./palette.js";
import { isDrawn, labelField } from "./try-label.js";
import { typed, whyExactly } from "./try-why.js";
import { count, number, t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./items.js").Item} Item */
/** @typedef {import("./mask-canvas.js").MaskCanvas} MaskCanvas */

/**
 * @typedef {object} CardActs
 * @property {() => void} fix
 * @property {() => void} leaveOut
 * @property {() => void} cutOut
 * @property {() => void} png
 * @property {(id: string, name: string) => void} rename
 */

/** Pixels between a mask and its card, and between the card and the stage's edge. */
const GAP = 12;

/** Pixels of the card, as the style sheet has it where it lies beside masks. */
const WIDE = 272;

/**
 * @param {Work} work
 * @param {MaskCanvas} canvas
 * @param {CardActs} acts
 */
export function wireCard(work, canvas, acts) {
  const card = byId("card", HTMLElement);
  const draw = () => {
    const item = work.selected;
    show(card, item !== null);
    if (!item) return;
    const typed = card.querySelector("[data-label]:focus");
    // What is half typed stays, whatever happens around it.
    if (typed?.getAttribute("data-label") === item.id) return;
    swap(card, ...contents(work, item, acts));
    place();
  };
  const place = () => {
    const item = work.selected;
    if (item) beside(card, canvas, item);
  };
  let drawn = "";
  const after = later(draw);
  // Another mask's card comes with the click; what an answer changes of this one follows the picture.
  const soon = () => {
    if (work.selectedId === drawn) return after();
    drawn = work.selectedId;
    draw();
  };
  work.on("selection", soon);
  work.on("items", soon);
  canvas.addEventListener("mask-view", place);
  draw();
}

/**
 * @param {Work} work
 * @param {Item} item
 * @param {CardActs} acts
 */
function contents(work, item, acts) {
  const { shown } = item;
  const head = el(
    "div",
    { class: "card__head" },
    el("span", { class: `sw ${look(item.slot).className}` }),
    isDrawn(item)
      ? el("h2", { class: "grow row" }, labelField(item, work.prompts.map((one) => one.name), (name) => acts.rename(item.id, name)))
      : el("h2", {}, item.name, " ", el("span", { class: "muted" }, String(item.number))),
    !isDrawn(item) && el("span", { class: "grow" }),
    iconButton("cut", t("card.cutout"), acts.cutOut),
    iconButton("down", t("card.png"), acts.png),
    iconButton("close", t("close"), () => work.select("")),
  );
  const figures = el(
    "dl",
    { class: "figs" },
    fact(t("masks.score"), number(shown.score, 3)),
    ...(shown.clip_score === null ? [] : [fact(t("masks.clip"), number(shown.clip_score, 3))]),
    fact(t("masks.area"), count(shown.area), "is-more", t("card.pixels")),
  );
  return [head, figures, against(work, item), buttons(item, acts)];
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} [className]
 * @param {string} [unit]
 */
function fact(name, value, className = "", unit = "") {
  return el("div", { class: className }, el("dt", {}, name), el("dd", {}, value, unit && el("small", {}, ` ${unit}`)));
}

/**
 * What spoke against it.
 *
 * @param {Work} work
 * @param {Item} item
 */
function against(work, item) {
  const { shown } = item;
  /** @type {[string, number][]} */
  const parts = [];
  if (shown.against !== null) parts.push([t("card.not", { text: typed(work, item) }), shown.against]);
  const other = work.items[shown.contender ?? -1];
  if (shown.contended && other) parts.push([t("card.contended", { name: other.name }), shown.contended]);
  if (shown.overlap > 0.005) parts.push([t("card.overlap"), shown.overlap]);
  const out = whyExactly(item, work);
  const rows = parts.map(([text, share]) =>
    el("li", {}, el("span", { class: "trunc", title: text }, text), bar(share), el("span", { class: "num" }, number(share, 2)))
  );
  return el(
    "div",
    { class: "against" },
    el("h3", {}, t("card.against")),
    rows.length ? el("ul", {}, ...rows) : el("p", { class: "muted" }, t("card.nothing")),
    out && el("p", { class: "against__out" }, t("card.out", { why: out })),
  );
}

/** @param {number} share */
function bar(share) {
  const part = svg("rect", { width: Math.round(share * 100), height: 4 });
  const box = svg("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, part);
  return el("span", { class: "bar" }, box);
}

/**
 * @param {Item} item
 * @param {{fix: () => void, leaveOut: () => void}} acts
 */
function buttons(item, acts) {
  const out = item.edit?.gone ?? false;
  return el(
    "div",
    { class: "card__acts" },
    el("button", { class: "btn", type: "button", onclick: acts.fix, "aria-keyshortcuts": "E" }, icon("pen"), t("card.fix"), el("kbd", { "aria-hidden": "true" }, "E")),
    el(
      "button",
      { class: "btn", type: "button", onclick: acts.leaveOut, "aria-keyshortcuts": "X" },
      t(out ? "card.take_back" : "card.leave_out"),
      el("kbd", { "aria-hidden": "true" }, "X"),
    ),
  );
}

/**
 * Put the card where there is room: right of the mask, left of it, or in the emptier corner.
 *
 * @param {HTMLElement} card
 * @param {MaskCanvas} canvas
 * @param {Item} item
 */
function beside(card, canvas, item) {
  const { view } = canvas;
  const [left, top] = view.toScreen(item.mask.box[0], item.mask.box[1]);
  const [right, bottom] = view.toScreen(item.mask.box[2], item.mask.box[3]);
  // 100% is its own height: to measure that would lay the page out once more.
  const lowest = `${Math.round(view.height - GAP)}px - 100%`;
  let x = right + GAP;
  let y = `min(${Math.round((top + bottom) / 2)}px - 50%, ${lowest})`;
  if (x + WIDE > view.width - GAP) x = left - GAP - WIDE;
  if (x < GAP) {
    x = (left + right) / 2 > view.width / 2 ? GAP : view.width - GAP - WIDE;
    y = top > view.height - bottom ? `${GAP}px` : lowest;
  }
  card.style.translate = `${Math.round(x)}px max(${GAP}px, ${y})`;
}

/**
 * @param {Work} work
 * @param {MaskCanvas} canvas
 */
export function wireTip(work, canvas) {
  const tip = byId("tip", HTMLElement);
  /** @returns {Item | undefined} */
  const pointed = () => work.items.find((one) => one.id === work.hoveredId && one.id !== work.selectedId);
  const draw = () => {
    const item = pointed();
    show(tip, item !== undefined);
    if (!item) return;
    const swatch = el("span", { class: `sw ${look(item.slot).className}` });
    swap(tip, swatch, el("span", { class: "trunc" }, `${item.name} ${item.number}`), el("span", { class: "num" }, number(item.shown.score, 2)));
    place();
  };
  const place = () => {
    const item = pointed();
    if (!item) return;
    const { view } = canvas;
    const [left] = view.toScreen(item.mask.box[0], 0);
    const [, bottom] = view.toScreen(0, item.mask.box[3]);
    const y = Math.min(view.height - 32, Math.max(8, bottom + 8));
    // 100% is its own width: to measure that would lay the page out once more.
    const most = `${Math.round(view.width - 8)}px - 100%`;
    tip.style.translate = `min(${most}, ${Math.round(Math.max(8, left))}px) ${Math.round(y)}px`;
  };
  work.on("hover", draw);
  work.on("selection", draw);
  canvas.addEventListener("mask-view", place);
}

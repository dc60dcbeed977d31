// @ts-check
/** The window in which one image is shown: its bar, its stage, its list of masks. */

import { el, icon, iconButton } from "./dom.js";
import { MaskCanvas } from "./mask-canvas.js";
import { t } from "./words.js";

/**
 * Build it.
 *
 * @param {object} does
 * @param {(way: number) => void} does.step
 * @param {() => void} does.closed
 * @param {HTMLElement[]} does.parts Of its panel, below the sum.
 */
export function viewerFrame({ step, closed, parts }) {
  const canvas = new MaskCanvas();
  canvas.setAttribute("role", "img");
  const title = el("span", { class: "trunc" }), place = el("span", { class: "muted num nowrap" });
  const note = el("div", { class: "viewer__note", role: "status" });
  const rows = el("tbody", {}), sum = el("p", { class: "hint", role: "status" });
  const tiles = el("p", { class: "hint", "data-tiles": true });
  const original = el("a", { class: "btn btn--ghost desk-only", download: true }, icon("down"), t("viewer.original"));
  const correct = el("a", { class: "btn btn--ghost" }, icon("pen"), el("span", { class: "desk-only" }, t("viewer.try")));
  correct.setAttribute("aria-label", t("viewer.try"));
  const titles = ["viewer.label", "viewer.score", "viewer.area"].map((key) => el("th", { scope: "col" }, t(key)));
  const panel = el(
    "div",
    { class: "viewer__panel", tabindex: "-1" },
    el("div", { class: "sec" }, sum, tiles, ...parts),
    el("table", { class: "found" }, el("thead", {}, el("tr", {}, ...titles)), rows),
  );
  const dialog = el(
    "dialog",
    { class: "viewer", "aria-labelledby": "viewer-title", onclose: closed },
    el(
      "div",
      { class: "viewer__bar" },
      iconButton("close", `${t("close")} (Esc)`, () => dialog.close()),
      iconButton("back", `${t("viewer.previous")} (←)`, () => step(-1)),
      iconButton("forward", `${t("viewer.next")} (→)`, () => step(1)),
      el("h2", { id: "viewer-title", class: "row grow" }, title),
      place,
      original,
      correct,
    ),
    el("div", { class: "viewer__stage" }, canvas, note),
    panel,
  );
  return { dialog, canvas, title, place, note, rows, sum, tiles, original, correct, panel };
}

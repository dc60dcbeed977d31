// @ts-check
/** A batch's line in the list. */

import { root } from "./api.js";
import { Paces, progressBar, sampleWords, sourceOf, stateLabel } from "./batch-parts.js";
import { el, swap } from "./dom.js";
import { ago, count, dateTime, duration, t } from "./words.js";

/** @import { Batch } from "./batch-parts.js" */

const paces = new Paces();

/**
 * All cells but that of the menu.
 *
 * @param {HTMLTableRowElement} row
 * @param {Batch} batch
 */
export function redraw(row, batch) {
  const last = row.querySelector(".acts-cell");
  const link = row.querySelector("a.name") ?? el("a", { class: "name", href: `${root}/batches/${batch.id}` });
  if (link.textContent !== batch.name) link.textContent = batch.name;
  const changed = batch.finished_at ?? batch.created_at;
  const cells = [
    el("td", {}, stateLabel(batch)),
    el("td", { class: "full" }, el("div", { class: "prog" }, figures(batch), progressBar(batch))),
    el("td", { class: "hide" }, batch.owner),
    el("td", { class: "r muted nowrap" }, el("time", { datetime: changed, title: dateTime(changed) }, ago(changed))),
  ];
  let name = row.querySelector("td");
  if (!name) {
    name = el("td", {}, link, el("small", { class: "row" }));
    row.append(name);
  }
  swap(/** @type {Element} */ (name.querySelector("small")), about(batch));
  [...row.children].slice(1).forEach((cell) => cell !== last && cell.remove());
  name.after(...cells);
}

/** @param {Batch} batch */
function about(batch) {
  const parts = [sourceOf(batch), batch.model];
  if (batch.sample) parts.unshift(sampleWords(batch.sample));
  if (batch.class === "now") parts.push(t("batch.class.now"));
  return parts.filter(Boolean).join(" · ");
}

/** @param {Batch} batch */
function figures(batch) {
  const speed = paces.measure(batch);
  const ended = batch.done + batch.failed;
  const left = speed
    ? t("batch.left", { time: duration((batch.total - ended) / speed) })
    : batch.failed && batch.state !== "done"
    ? t("batch.failed", { count: batch.failed })
    : "";
  const sum = `${count(ended)} / ${count(batch.total)}`;
  return el("span", {}, el("span", { class: "num" }, sum), el("span", { class: "num" }, left));
}


// @ts-check
/** A batch that is a sample says so, and leads to the whole with its settings. */

import { root } from "./api.js";
import { sampleWords } from "./batch-parts.js";
import { carryWhole } from "./carry.js";
import { byId, el, icon, show, swap } from "./dom.js";
import { canBeWhole } from "./new-batch-whole.js";
import { t } from "./words.js";

/**
 * @import { OneBatch } from "./batch-progress.js"
 * @import { Me } from "./shell.js"
 * @import { Reading } from "./reading.js"
 */

/**
 * @param {OneBatch} batch
 * @param {Me} who
 * @param {() => Reading} reading As its sliders stand.
 */
export function drawSample(batch, who, reading) {
  const box = byId("sample", HTMLElement), { sample } = batch;
  if (!sample || box.dataset.drawn) return;
  box.dataset.drawn = "yes";
  const isPart = sample.images < sample.of;
  const words = [el("b", {}, sampleWords(sample)), " ", isPart && t("sample.what")];
  const all = el("button", { class: "btn btn--primary", type: "button" }, t("sample.all_now", { count: sample.of }));
  all.addEventListener("click", () => {
    carryWhole({ whole: batch.id, reading: reading() });
    location.assign(`${root}/batches/new`);
  });
  const offered = isPart && who.rights.includes("submit");
  const known = canBeWhole(batch);
  const end = offered && (known ? all : null);
  swap(box, icon("info"), el("p", { class: "grow" }, ...words, offered && !known && ` ${t("sample.elsewhere")}`), end);
  show(box, true);
}

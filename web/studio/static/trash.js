// @ts-check
/** Batches that were deleted within the last day, to be had back. */

import { explain, get, post, root } from "./api.js";
import { el, icon, swap } from "./dom.js";
import { ago, count, t } from "./words.js";

/** @typedef {import("./batch-parts.js").Batch & {deleted_at: string, until: string}} Trashed */

/** @param {HTMLElement} box */
export async function openTrash(box) {
  /** @type {Trashed[]} */
  let batches;
  try {
    ({ batches } = await get("/api/v1/trash", { query: { limit: 200 } }));
  } catch (error) {
    swap(box, el("div", { class: "empty" }, icon("warn"), el("p", {}, explain(error))));
    return;
  }
  if (!batches.length) {
    swap(box, el("div", { class: "empty" }, icon("trash"), el("h2", {}, t("trash.none")), el("p", {}, t("trash.what"))));
    return;
  }
  const titles = ["batch.name", "gallery.title", "trash.deleted"].map((key) => el("th", { scope: "col" }, t(key)));
  const head = el("tr", {}, ...titles, el("th", { scope: "col" }, el("span", { class: "vh" }, t("actions"))));
  const rows = el("tbody", { class: "trash" }, ...batches.map(line));
  swap(
    box,
    el("p", { class: "box__foot" }, t("trash.what")),
    el("table", { class: "table table--cards" }, el("thead", {}, head), rows),
  );
}

/** @param {Trashed} batch */
function line(batch) {
  const why = el("span", { class: "hint hint--bad", role: "alert" });
  const restore = el("button", {
    class: "btn",
    type: "button",
    onclick: async () => {
      restore.disabled = true;
      try {
        await post(`/api/v1/trash/${batch.id}/restore`);
        location.assign(`${root}/batches/${batch.id}`);
      } catch (error) {
        swap(why, explain(error));
        restore.disabled = false;
      }
    },
  }, icon("undo"), t("trash.restore"));
  const name = el("td", {}, el("span", { class: "name" }, batch.name), el("small", {}, batch.owner));
  const times = `${ago(batch.deleted_at)} · ${t("trash.until", { when: ago(batch.until) })}`;
  return el(
    "tr",
    {},
    name,
    el("td", { class: "num" }, count(batch.total)),
    el("td", { class: "muted" }, times),
    el("td", { class: "r" }, why, " ", restore),
  );
}

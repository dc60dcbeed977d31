// @ts-check
/** A batch as a data set: asked for with choices, watched while it is written, downloaded. */

import { address, explain, get, post } from "./api.js";
import { hasEnded, shareBar } from "./batch-parts.js";
import { openDialog } from "./dialog.js";
import { el, icon, swap } from "./dom.js";
import { LEVELS, remembered } from "./fineness.js";
import { putOff, refusalOfTask } from "./task-refusal.js";
import { ago, bytes, number, t } from "./words.js";

/**
 * @import { Batch } from "./batch-parts.js"
 * @import { BatchReading } from "./batch-reading.js"
 *
 * @typedef {{name: string, size: number, saved_as: string}} File
 * @typedef {import("./task-refusal.js").Told & {id: string, kind: string, progress: any, files: File[],
 *   finished_at: string | null}} Task
 */

/** Milliseconds between two looks at what is written. */
const LOOK = 600;

/**
 * @param {Batch} batch
 * @param {BatchReading} reading
 */
export function openExport(batch, reading) {
  const partial = el("input", { type: "checkbox", id: "export-partial", checked: !hasEnded(batch) });
  const tried = el("input", { type: "checkbox", id: "export-tried" });
  const levels = LEVELS.map((one) => el("option", { value: one }, t(`export.refine.${one}`)));
  const refine = el("select", { class: "select", id: "export-refine", "aria-describedby": "export-refine-what" }, ...levels);
  refine.value = remembered();
  const state = el("div", { class: "stack stack--s", role: "status" });
  const earlier = el("ul", { class: "files" });
  const go = el("button", { class: "btn btn--primary", type: "button" }, icon("down"), t("export.go"));
  const stop = new AbortController();
  go.addEventListener("click", async () => {
    go.disabled = true;
    try {
      const task = await ask(batch, reading, { partial: partial.checked, tried: tried.checked, refine: refine.value });
      await watch(task, state, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) swap(state, el("p", { class: "hint hint--bad" }, explain(error)));
    }
    go.disabled = false;
  });
  const body = [
    el("p", {}, t("export.what")),
    el("p", { class: "hint" }, t("export.counts")),
    ...(reading.changed ? [el("label", { class: "check" }, tried, t("export.tried", { threshold: number(reading.now.threshold, 2) }))] : []),
    ...(batch.state === "done" ? [] : [el("label", { class: "check" }, partial, t("export.partial"))]),
    el("div", { class: "field" }, el("label", { for: "export-refine" }, t("export.refine")), refine, el("p", { class: "hint", id: "export-refine-what" }, t("export.refine_what"))),
    state,
    earlier,
  ];
  const made = openDialog(t("batch.export"), [el("div", { class: "stack" }, ...body)], [go]);
  made.classList.add("dialog--small");
  made.addEventListener("close", () => stop.abort());
  listEarlier(batch, earlier).catch(() => {});
}

/**
 * @param {Batch} batch
 * @param {BatchReading} reading
 * @param {object} how
 * @param {boolean} how.partial
 * @param {boolean} how.tried As the sliders stand, instead of as it is saved.
 * @param {string} how.refine
 * @returns {Promise<string>}
 */
async function ask(batch, reading, { partial, tried, refine }) {
  const { threshold, max_overlap, max_against, exclusive } = reading.now;
  const changes = { threshold, max_overlap: max_overlap ?? 1, max_against, exclusive };
  const body = { batches: [batch.id], format: "coco", partial, refine, ...(tried ? changes : {}) };
  return (await post("/api/v1/exports", body, { key: true })).task;
}

/**
 * @param {string} id
 * @param {HTMLElement} state
 * @param {AbortSignal} signal
 */
async function watch(id, state, signal) {
  for (;;) {
    /** @type {Task} */
    const task = await get(`/api/v1/tasks/${id}`, { signal });
    if (task.state === "failed" || task.state === "cancelled") throw refusalOfTask(task);
    if (task.state === "done") {
      swap(state, el("p", {}, t("export.done")), el("ul", { class: "files" }, ...task.files.map((one) => fileLine(id, one))));
      state.querySelector("a")?.focus();
      return;
    }
    const { done = 0, total = 0 } = task.progress ?? {};
    const away = putOff(task);
    const why = away ? [el("p", { class: "hint hint--bad" }, explain(away))] : [];
    swap(state, el("p", {}, t(task.state === "waiting" ? "export.waits" : "export.runs")), ...why, shareBar(total ? done / total : 0, "done"));
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/**
 * @param {string} id
 * @param {File} file
 */
function fileLine(id, { name, size, saved_as }) {
  const path = name.split("/").map(encodeURIComponent).join("/");
  const href = address(`/api/v1/tasks/${id}/files/${path}`);
  const link = el("a", { href, download: saved_as, class: "trunc", title: saved_as }, saved_as);
  return el("li", {}, icon("down"), link, el("span", {}), el("span", { class: "num" }, bytes(size)));
}

/**
 * @param {Batch} batch
 * @param {HTMLElement} list
 */
async function listEarlier(batch, list) {
  /** @type {{tasks: Task[]}} */
  const { tasks } = await get("/api/v1/tasks", { query: { batch: batch.id, limit: 20 } });
  const ended = tasks.filter((one) => one.kind === "export" && (one.state === "failed" || one.state === "done" && one.files.length));
  if (!ended.length) return;
  list.before(el("h3", {}, t("export.earlier")));
  for (const task of ended) {
    const [file] = task.files;
    const line = task.state === "done" && file ? fileLine(task.id, file) : failedLine(task);
    line.children[2]?.replaceWith(el("span", { class: "num" }, task.finished_at ? ago(task.finished_at) : ""));
    list.append(line);
  }
}

/** @param {Task} task */
function failedLine(task) {
  return el("li", { class: "is-bad" }, icon("warn"), el("span", {}, explain(refusalOfTask(task))), el("span", {}));
}

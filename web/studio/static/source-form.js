// @ts-check
/** Where a batch's images come from: an upload with its progress, granted places, or addresses. */

import { ApiError, explain, post } from "./api.js";
import { shareBar } from "./batch-parts.js";
import { byId, el, icon, show, swap } from "./dom.js";
import { ACCEPT, filesOf, filesOfField, isManifest, sort } from "./dropped.js";
import { UploadQueue } from "./upload-queue.js";
import { bytes, count, t } from "./words.js";

/**
 * @import { Item } from "./upload-queue.js"
 * @import { Named, Reason } from "./dropped.js"
 */

/** Where the upload that goes on is kept. */
const KEPT = "maskpool.upload";

export class UploadForm {
  /** @param {() => void} onchange */
  constructor(onchange) {
    this._onchange = onchange;
    /** @type {UploadQueue | null} */
    this.queue = null;
    /** @type {Map<string, Reason>} What is passed over, by name. */
    this._passed = new Map();
    /** @type {Promise<UploadQueue | null> | null} */
    this._opening = null;
    this._wire();
    const known = localStorage.getItem(KEPT);
    // What is dropped meanwhile waits for what is there already.
    if (known) this._opening = this._resume(known);
  }

  _wire() {
    const drop = byId("drop", HTMLElement);
    for (const [button, id] of [["pick-files", "files"], ["pick-folder", "folder"]]) {
      const field = byId(String(id), HTMLInputElement);
      if (id === "files") field.accept = ACCEPT;
      byId(String(button), HTMLElement).addEventListener("click", () => field.click());
      field.addEventListener("change", () => {
        this.take(filesOfField(field));
        field.value = "";
      });
    }
    // Files that miss the field would else leave the page.
    for (const type of ["dragover", "drop"]) {
      document.addEventListener(type, (event) => {
        if (/** @type {DragEvent} */ (event).dataTransfer?.types.includes("Files")) event.preventDefault();
      });
    }
    document.addEventListener("dragover", () => drop.classList.add("is-over"));
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) drop.classList.remove("is-over");
    });
    document.addEventListener("drop", async (event) => {
      drop.classList.remove("is-over");
      if (event.dataTransfer) this.take(await filesOf(event.dataTransfer));
    });
    document.addEventListener("paste", async (event) => {
      if (event.clipboardData?.files.length) this.take(await filesOf(event.clipboardData));
    });
    byId("retry-files", HTMLElement).addEventListener("click", () => this.queue?.retry());
    byId("drop-failed", HTMLElement).addEventListener("click", () => this.queue?.dropFailed());
    byId("forget-upload", HTMLElement).addEventListener("click", () => this.forget());
  }

  /**
   * The upload of an earlier visit; a new one with the next file where that is gone.
   *
   * @param {string} id
   * @returns {Promise<UploadQueue | null>}
   */
  async _resume(id) {
    const queue = new UploadQueue(id, () => this._draw());
    try {
      await queue.resume();
      this.queue = queue;
      this._draw();
      return queue;
    } catch (error) {
      // It was deleted, or its time is over; anything else may be over in a moment.
      if (error instanceof ApiError && [403, 404].includes(error.status)) localStorage.removeItem(KEPT);
      this._opening = null;
      return null;
    }
  }

  /** The upload, begun with the first file. */
  _open() {
    this._opening ??= (async () => {
      if (this.queue) return this.queue;
      const { id } = await post("/api/v1/uploads", {}, { key: true });
      localStorage.setItem(KEPT, id);
      this.queue = new UploadQueue(id, () => this._draw());
      return this.queue;
    })();
    return this._opening;
  }

  /** @param {Named[]} files */
  async take(files) {
    const note = byId("upload-note", HTMLElement);
    if (!files.length) return;
    try {
      const queue = await this._open() ?? await this._open();
      if (!queue) return;
      const { taken, passed } = sort(files, (name, size) => queue.has(name, size));
      // What was passed over before and is here now, or lies in a folder that is, is passed over no more.
      taken.flatMap(({ name }) => [name, ...foldersOf(name)]).forEach((name) => this._passed.delete(name));
      passed.forEach(({ name, reason }) => this._passed.set(name, reason));
      // What was meant to come and did not is not left for somebody to find.
      if (passed.some((one) => one.reason === "unread")) byId("passed", HTMLDetailsElement).open = true;
      queue.add(taken);
      show(note, false);
      this._draw();
    } catch (error) {
      this._opening = null;
      swap(note, icon("warn"), el("p", {}, explain(error)));
      show(note, true);
    }
  }

  /** Begin with nothing; what was uploaded is cleared away by the server in its time. */
  forget() {
    this.queue?.close();
    this.queue = this._opening = null;
    this._passed.clear();
    localStorage.removeItem(KEPT);
    this._draw();
  }

  /** The batch is made of it: the next one begins with nothing. */
  used() {
    localStorage.removeItem(KEPT);
  }

  _draw() {
    const queue = this.queue, failed = queue?.count("failed") ?? 0;
    byId("file-groups", HTMLElement).replaceChildren(...(queue ? groups(queue) : []));
    show(byId("failed-files", HTMLElement), failed > 0);
    swap(byId("failed-count", HTMLElement), t("upload.failed", { count: failed }));
    show(byId("forget-upload", HTMLElement), Boolean(queue?.items.size));
    const known = queue?.count("known") ?? 0;
    show(byId("resumed", HTMLElement), known > 0);
    swap(byId("resumed", HTMLElement), t("upload.resumed", { count: known }));
    const manifest = queue?.manifest ?? null;
    show(byId("manifest", HTMLElement), manifest !== null);
    swap(byId("manifest-name", HTMLElement), t("upload.manifest", { name: manifest ?? "" }));
    this._drawPassed();
    this._onchange();
  }

  _drawPassed() {
    const box = byId("passed", HTMLDetailsElement);
    /** @type {Map<string, number>} */
    const kinds = new Map();
    const add = (/** @type {string} */ kind, number = 1) => kinds.set(kind, (kinds.get(kind) ?? 0) + number);
    this._passed.forEach((reason, name) => add(reason === "kind" ? ending(name) : t(`passed.${reason}`)));
    for (const item of this.queue?.items.values() ?? []) {
      Object.entries(item.passed ?? {}).forEach(([kind, number]) => add(kind, number));
    }
    const all = [...kinds.values()].reduce((sum, one) => sum + one, 0);
    show(box, all > 0);
    swap(byId("passed-count", HTMLElement), t("passed.count", { count: all }));
    const lines = [...kinds].sort((one, other) => other[1] - one[1]).slice(0, 20);
    byId("passed-kinds", HTMLElement).replaceChildren(
      ...lines.map(([kind, number]) => el("li", {}, el("b", {}, count(number)), kind)),
    );
  }
}

/** Folders around a file, each with a slash at its end. @param {string} name */
function foldersOf(name) {
  return [...name.matchAll(/\//g)].map(({ index }) => name.slice(0, index + 1));
}

/** @param {string} name */
function ending(name) {
  const last = name.slice(name.lastIndexOf("/") + 1), dot = last.lastIndexOf(".");
  return dot > 0 ? t("passed.kind", { ending: last.slice(dot) }) : t("passed.no_ending");
}

/**
 * A line for each folder and archive, and one for all single files.
 *
 * @param {UploadQueue} queue
 */
function groups(queue) {
  /** @type {Map<string, Item[]>} */
  const found = new Map();
  for (const item of queue.items.values()) {
    const slash = item.name.indexOf("/");
    const archive = item.name.toLowerCase().endsWith(".zip") || isManifest(item.name);
    const name = slash > 0 ? `${item.name.slice(0, slash)}/` : archive ? item.name : "";
    const group = found.get(name);
    if (group) group.push(item);
    else found.set(name, [item]);
  }
  return [...found].slice(0, 50).map(([name, items]) => groupLine(name, items));
}

/**
 * @param {string} name
 * @param {Item[]} items
 */
function groupLine(name, items) {
  const all = items.reduce((sum, one) => sum + one.size, 0);
  const sent = items.reduce((sum, one) => sum + one.sent, 0);
  const there = items.filter((one) => one.state === "there" || one.state === "known").length;
  const failed = items.filter((one) => one.state === "failed");
  const unpacking = items.some((one) => one.state === "unpacking");
  const done = there === items.length;
  const sign = failed.length ? "warn" : done ? "check" : "up";
  const images = items.reduce((sum, one) => sum + one.images, 0);
  const figures = failed.length
    ? explain(failed[0]?.error)
    : unpacking
    ? t("upload.unpacking")
    : done
    ? images ? `${t("images", { count: images })} · ${bytes(all)}` : bytes(all)
    : items.length > 1
    ? t("upload.of", { done: there, all: items.length })
    : t("upload.of", { done: bytes(sent), all: bytes(all) });
  const shown = name || (items.length === 1 ? items[0]?.name ?? "" : t("upload.single", { count: items.length }));
  return el(
    "li",
    { class: failed.length ? "is-bad" : "" },
    icon(sign),
    el("span", { class: "trunc", title: shown }, shown),
    shareBar(all ? sent / all : 1, done ? "fin" : "done"),
    el("span", { class: "num" }, figures),
  );
}

/**
 * Addresses of a text, one a line; lines that begin with # are left out.
 *
 * @param {string} text
 */
export function addresses(text) {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
}

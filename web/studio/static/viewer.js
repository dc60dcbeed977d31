// @ts-check
/** One image of a batch over the whole window, with arrow keys to the next ones, which wait ready. */

import { explain, root } from "./api.js";
import { el, icon, swap } from "./dom.js";
import { addKeys } from "./keys.js";
import { look } from "./palette.js";
import { picture, prefetch } from "./picture.js";
import { reasons } from "./reading.js";
import { tiledWords } from "./tiled-words.js";
import { ViewerFiner } from "./viewer-finer.js";
import { viewerFrame } from "./viewer-frame.js";
import { ViewerImages } from "./viewer-images.js";
import { count, number, t } from "./words.js";

/**
 * @import { Mask } from "./paint.js"
 * @import { Reading, Reason } from "./reading.js"
 * @import { Instance } from "./stored-masks.js"
 * @import { Row } from "./tile.js"
 * @import { Ready } from "./viewer-images.js"
 *
 * @typedef {object} List Where images come from.
 * @property {number} length
 * @property {(index: number) => Row | undefined} at
 * @property {(first: number, last: number) => void} want
 */

/** Images that are fetched ahead. */
const AHEAD = 2;

/** Looks at the list after which its page is asked for again: two seconds. */
const ASKED_AGAIN = 80;

export class Viewer {
  /**
   * @param {object} how
   * @param {string} how.batchId
   * @param {string[]} how.names Of the prompts.
   * @param {(prompt: number, negative: string) => string} how.typed A negative of a prompt as it was typed.
   * @param {() => Reading} how.reading
   * @param {() => List} how.list
   * @param {(index: number | null) => void} how.onmove Which image is shown; null: none any more.
   */
  constructor({ batchId, names, typed, reading, list, onmove }) {
    this._path = `/api/v1/batches/${batchId}/images`;
    this._batchId = batchId;
    this._names = names;
    this._typed = typed;
    this._reading = reading;
    this._list = list;
    this._onmove = onmove;
    this._images = new ViewerImages(this._path);
    this._index = -1;
    /** @type {Row | null} */
    this._row = null;
    /** @type {Ready | null} */
    this._shown = null;
    /** @type {Mask | null} */
    this._picked = null;
    this._finer = new ViewerFiner(this._path, () => this.redraw());
    this._frame = viewerFrame({ step: (way) => this.step(way), closed: () => this._closed(), parts: this._finer.parts });
    this._wire();
  }

  _wire() {
    const { dialog, canvas } = this._frame;
    canvas.addEventListener("mask-pick", (event) => this._pick(/** @type {CustomEvent} */ (event).detail));
    canvas.addEventListener("mask-hover", (event) => this._mark(/** @type {CustomEvent} */ (event).detail));
    dialog.addEventListener("keydown", (event) => this._press(event));
    dialog.addEventListener("keyup", (event) => event.key === "m" && canvas.veil(false));
    const listed = { run: () => {}, when: () => false };
    addKeys(t("viewer.keys"), [
      { key: "ArrowLeft", name: t("viewer.previous"), ...listed },
      { key: "ArrowRight", name: t("viewer.next"), ...listed },
      { key: "ArrowUp", name: t("viewer.pick"), ...listed },
      { key: "m", name: t("viewer.veil"), ...listed },
      { key: "0", name: t("viewer.fit"), ...listed },
    ]);
  }

  /** Whether it is open. */
  get isOpen() {
    return this._frame.dialog.open;
  }

  /** Close it. */
  close() {
    this._frame.dialog.close();
  }

  /** @param {number} index In the list. */
  async open(index) {
    if (!this._frame.dialog.isConnected) document.body.append(this._frame.dialog);
    if (!this._frame.dialog.open) {
      this._frame.dialog.showModal();
      this._frame.canvas.focus();
    }
    await this._show(index);
  }

  /** What counts changed. */
  redraw() {
    if (this._shown) this._draw(this._shown);
  }

  /** @param {number} way */
  step(way) {
    const index = this._index + way;
    if (index >= 0 && index < this._list().length) this._show(index);
  }

  /** @param {number} index */
  async _show(index) {
    this._index = index;
    const row = await this._rowAt(index);
    if (!row || this._index !== index) return;
    this._row = row;
    this._picked = null;
    this._head(row);
    this._onmove(index);
    if (row.state !== "done") {
      this._blank(row.state === "failed" ? row.error ?? "" : t(`tile.${row.state}`));
      return;
    }
    try {
      const [bitmap, ready] = await Promise.all([picture(this._view(row.seq)), this._images.fetch(row.seq)]);
      if (this._index !== index) return;
      this._frame.canvas.show(bitmap, ready.image.mask_width, ready.image.mask_height);
      swap(this._frame.note);
      this._shown = ready;
      this._draw(ready);
    } catch (error) {
      if (this._index === index) this._blank(explain(error));
    }
    this._ahead(index);
  }

  /**
   * A row of the list; waits for its page, which is asked for again where that failed.
   *
   * @param {number} index
   */
  async _rowAt(index) {
    for (let look = 0; this._index === index; look++) {
      if (look % ASKED_AGAIN === 0) this._list().want(Math.max(0, index - AHEAD), index + AHEAD + 1);
      const row = this._list().at(index);
      if (row) return row;
      if (look === ASKED_AGAIN) this._lacks();
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return undefined;
  }

  /** Nothing of the last picture stays where nobody knows the next one. */
  _lacks() {
    this._blank(t("viewer.waits"));
    swap(this._frame.title);
    for (const link of [this._frame.original, this._frame.correct]) link.removeAttribute("href");
  }

  /** @param {number} seq */
  _view(seq) {
    return `${this._path}/${seq}/view`;
  }

  /** @param {number} index Fetch its neighbours, the next one first. */
  _ahead(index) {
    for (const way of [1, -1, AHEAD]) {
      const row = this._list().at(index + way);
      if (row?.state !== "done") continue;
      prefetch(this._view(row.seq));
      this._images.fetch(row.seq).catch(() => {});
    }
  }

  /** @param {string} words */
  _blank(words) {
    this._shown = null;
    this._frame.canvas.show(null, 1, 1);
    swap(this._frame.note, icon("picture"), el("p", {}, words));
    swap(this._frame.sum);
    swap(this._frame.tiles);
    this._frame.rows.replaceChildren();
  }

  /** @param {Row} row */
  _head({ seq, name }) {
    swap(this._frame.title, name);
    this._frame.title.title = name;
    swap(this._frame.place, t("viewer.place", { place: this._index + 1, all: this._list().length }));
    this._frame.canvas.setAttribute("aria-label", name);
    this._frame.original.href = `${root}${this._path}/${seq}/original`;
    this._frame.correct.href = `${root}/try?batch=${this._batchId}&image=${seq}`;
  }

  /** @param {Ready} ready */
  _draw(ready) {
    const { image } = ready;
    const why = reasons(image.instances, this._reading(), this._names);
    this._finer.put(ready, why);
    const { masks } = ready;
    this._picked = this._picked && (masks[Number(this._picked.id)] ?? null);
    this._frame.canvas.masks = masks.filter((_, at) => !why[at]);
    this._frame.canvas.select(this._picked && !why[masks.indexOf(this._picked)] ? this._picked : null);
    const counting = why.filter((reason) => !reason).length;
    swap(this._frame.sum, t("viewer.sum", { count: counting, stored: masks.length }));
    swap(this._frame.tiles, image.tiles && tiledWords(image.tiles));
    const order = masks.map((_, at) => at).sort((one, other) => Number(Boolean(why[one])) - Number(Boolean(why[other])));
    this._frame.rows.replaceChildren(...order.map((at) => this._line(image.instances[at], /** @type {Mask} */ (masks[at]), why[at] ?? "")));
    this._mark(null);
  }

  /**
   * @param {Instance} instance
   * @param {Mask} mask
   * @param {Reason} why It does not count; empty: it does.
   */
  _line(instance, mask, why) {
    const { category, score, prompt } = instance;
    const reason = why && t(`why.${why}`, { text: this._typed(prompt, instance.against_text ?? ""), name: this._rival(instance) });
    const name = el("span", { class: "row" }, el("span", { class: `sw ${look(prompt).className}` }), el("span", { class: "trunc" }, category), reason && el("small", { class: "nowrap" }, reason));
    const row = el(
      "tr",
      { class: why ? "is-out" : "", "data-mask": mask.id, tabindex: "-1", "aria-selected": "false" },
      el("td", {}, name),
      el("td", {}, number(score, 2)),
      el("td", {}, count(mask.area)),
    );
    row.addEventListener("pointerenter", () => this._frame.canvas.hover(mask, Boolean(why)));
    row.addEventListener("pointerleave", () => this._frame.canvas.hover(null));
    row.addEventListener("click", () => !why && this._pick(mask));
    return row;
  }

  /** @param {Instance} instance */
  _rival({ contender }) {
    return contender === null ? "" : this._shown?.image.instances[contender]?.category ?? "";
  }

  /** @param {Mask | null} mask */
  _pick(mask) {
    this._picked = mask;
    this._frame.canvas.select(mask);
    this._mark(null);
    if (!mask) return;
    const { panel } = this._frame, row = this._frame.rows.querySelector(`[data-mask="${mask.id}"]`);
    if (row instanceof HTMLElement) {
      const top = row.offsetTop, end = top + row.offsetHeight;
      if (top < panel.scrollTop || end > panel.scrollTop + panel.clientHeight) panel.scrollTop = top - panel.clientHeight / 2;
    }
  }

  /** @param {Mask | null} hovered */
  _mark(hovered) {
    const chosen = hovered ?? this._picked;
    for (const row of this._frame.rows.children) {
      const own = row instanceof HTMLElement ? row.dataset.mask : "";
      row.setAttribute("aria-selected", String(Boolean(chosen) && own === chosen?.id));
    }
  }

  /** @param {KeyboardEvent} event */
  _press(event) {
    // Arrows choose in a list.
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) return;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      ArrowUp: () => this._next(-1),
      ArrowDown: () => this._next(1),
      m: () => this._frame.canvas.veil(true),
      0: () => this._frame.canvas.fit(),
    };
    const run = keys[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  /** @param {number} way Choose the mask above or below in the list. */
  _next(way) {
    const counting = [...this._frame.rows.querySelectorAll("tr:not(.is-out)")];
    if (!counting.length) return;
    const at = counting.findIndex((row) => /** @type {HTMLElement} */ (row).dataset.mask === this._picked?.id);
    const to = counting[(at + way + counting.length) % counting.length] ?? counting[0];
    const id = /** @type {HTMLElement} */ (to).dataset.mask;
    this._pick(this._shown?.masks.find((mask) => mask.id === id) ?? null);
  }

  _closed() {
    this._index = -1;
    this._onmove(null);
  }
}


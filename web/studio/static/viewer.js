// @ts-check
/** One image of a batch over the whole window, with arrow keys to the next ones, which wait ready. */

import { explain, get, root } from "./api.js";
import { el, icon, iconButton, swap } from "./dom.js";
import { addKeys } from "./keys.js";
import { MaskCanvas } from "./mask-canvas.js";
import { outline } from "./outlines.js";
import { look } from "./palette.js";
import { picture, prefetch } from "./picture.js";
import { reasons } from "./reading.js";
import { decode } from "./rle.js";
import { count, number, t } from "./words.js";

/**
 * @import { Mask } from "./paint.js"
 * @import { Reading, Reason } from "./reading.js"
 * @import { Instance } from "./stored-masks.js"
 * @import { Row } from "./tile.js"
 *
 * @typedef {object} Ready What is fetched of an image.
 * @property {any} image As the API shows it.
 * @property {Mask[]} masks Of all that is stored.
 *
 * @typedef {object} List Where images come from.
 * @property {number} length
 * @property {(index: number) => Row | undefined} at
 * @property {(first: number, last: number) => void} want
 */

/** Images whose masks are kept, and that are fetched ahead on either side. */
const KEPT = 9, AHEAD = 2;

export class Viewer {
  /**
   * @param {object} how
   * @param {string} how.batchId
   * @param {string[]} how.names Of the prompts.
   * @param {() => Reading} how.reading
   * @param {() => List} how.list
   * @param {(index: number | null) => void} how.onmove Which image is shown; null: none any more.
   */
  constructor({ batchId, names, reading, list, onmove }) {
    this._path = `/api/v1/batches/${batchId}/images`;
    this._batchId = batchId;
    this._names = names;
    this._reading = reading;
    this._list = list;
    this._onmove = onmove;
    /** @type {Map<number, Promise<Ready>>} Least lately used first. */
    this._ready = new Map();
    this._index = -1;
    /** @type {Row | null} */
    this._row = null;
    /** @type {Ready | null} */
    this._shown = null;
    /** @type {Mask | null} */
    this._picked = null;
    this._build();
  }

  _build() {
    this.canvas = new MaskCanvas();
    this.canvas.setAttribute("role", "img");
    this._title = el("b", { class: "trunc" });
    this._place = el("span", { class: "muted num nowrap" });
    this._note = el("div", { class: "viewer__note", role: "status" });
    this._rows = el("tbody", {});
    this._sum = el("p", { class: "hint", role: "status" });
    this._original = el("a", { class: "btn btn--ghost desk-only", download: true }, icon("down"), t("viewer.original"));
    this._try = el("a", { class: "btn btn--ghost" }, icon("pen"), t("viewer.try"));
    const back = iconButton("back", `${t("viewer.previous")} (←)`, () => this.step(-1));
    const forth = iconButton("forward", `${t("viewer.next")} (→)`, () => this.step(1));
    const head = el("tr", {}, ...["viewer.label", "viewer.score", "viewer.area"].map((key) => el("th", { scope: "col" }, t(key))));
    this.dialog = el(
      "dialog",
      { class: "viewer", "aria-labelledby": "viewer-title", onclose: () => this._closed() },
      el(
        "div",
        { class: "viewer__bar" },
        iconButton("close", `${t("close")} (Esc)`, () => this.dialog.close()),
        back,
        forth,
        el("h2", { id: "viewer-title", class: "row grow" }, this._title),
        this._place,
        this._original,
        this._try,
      ),
      el("div", { class: "viewer__stage" }, this.canvas, this._note),
      el("div", { class: "viewer__panel" }, el("div", { class: "sec" }, this._sum), el("table", { class: "found" }, el("thead", {}, head), this._rows)),
    );
    this.canvas.addEventListener("mask-pick", (event) => this._pick(/** @type {CustomEvent} */ (event).detail));
    this.canvas.addEventListener("mask-hover", (event) => this._mark(/** @type {CustomEvent} */ (event).detail));
    this.dialog.addEventListener("keydown", (event) => this._press(event));
    this.dialog.addEventListener("keyup", (event) => event.key === "m" && this.canvas?.veil(false));
    const open = () => this.dialog.open;
    addKeys(t("viewer.keys"), [
      { key: "ArrowLeft", name: t("viewer.previous"), run: () => {}, when: open },
      { key: "ArrowRight", name: t("viewer.next"), run: () => {}, when: open },
      { key: "ArrowUp", name: t("viewer.pick"), run: () => {}, when: open },
      { key: "m", name: t("viewer.veil"), run: () => {}, when: open },
      { key: "0", name: t("viewer.fit"), run: () => {}, when: open },
    ]);
  }

  /** @param {number} index In the list. */
  async open(index) {
    if (!this.dialog.isConnected) document.body.append(this.dialog);
    if (!this.dialog.open) this.dialog.showModal();
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
    const list = this._list();
    list.want(Math.max(0, index - AHEAD), index + AHEAD + 1);
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
      const [bitmap, ready] = await Promise.all([picture(this._view(row.seq)), this._fetch(row.seq)]);
      if (this._index !== index) return;
      this.canvas.show(bitmap, ready.image.mask_width, ready.image.mask_height);
      swap(this._note);
      this._shown = ready;
      this._draw(ready);
    } catch (error) {
      if (this._index === index) this._blank(explain(error));
    }
    this._ahead(index);
  }

  /**
   * A row of the list; waits for its page.
   *
   * @param {number} index
   */
  async _rowAt(index) {
    for (let look = 0; look < 200 && this._index === index; look++) {
      const row = this._list().at(index);
      if (row) return row;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return undefined;
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
      this._fetch(row.seq).catch(() => {});
    }
  }

  /** @param {number} seq @returns {Promise<Ready>} */
  _fetch(seq) {
    const known = this._ready.get(seq) ?? this._load(seq);
    this._ready.delete(seq);
    this._ready.set(seq, known);
    known.catch(() => this._ready.delete(seq));
    for (const old of this._ready.keys()) {
      if (this._ready.size <= KEPT) break;
      this._ready.delete(old);
    }
    return known;
  }

  /** @param {number} seq @returns {Promise<Ready>} */
  async _load(seq) {
    const image = await get(`${this._path}/${seq}`, { query: { masks: "rle", which: "stored", scale: "view" } });
    const factor = image.width ? image.mask_width / image.width : 1;
    const masks = image.instances.map((/** @type {any} */ one, /** @type {number} */ at) => maskOf(one, at, factor));
    return { image, masks };
  }

  /** @param {string} words */
  _blank(words) {
    this._shown = null;
    this.canvas.show(null, 1, 1);
    swap(this._note, icon("picture"), el("p", {}, words));
    swap(this._sum);
    this._rows.replaceChildren();
  }

  /** @param {Row} row */
  _head({ seq, name }) {
    swap(this._title, name);
    this._title.title = name;
    swap(this._place, t("viewer.place", { place: this._index + 1, all: this._list().length }));
    this.canvas.setAttribute("aria-label", name);
    this._original.href = `${root}${this._path}/${seq}/original`;
    this._try.href = `${root}/try?batch=${this._batchId}&image=${seq}`;
  }

  /** @param {Ready} ready */
  _draw({ image, masks }) {
    const why = reasons(image.instances, this._reading(), this._names);
    this.canvas.masks = masks.filter((_, at) => !why[at]);
    this.canvas.select(this._picked && !why[masks.indexOf(this._picked)] ? this._picked : null);
    const counting = why.filter((reason) => !reason).length;
    swap(this._sum, t("viewer.sum", { count: counting, stored: masks.length }));
    const order = masks.map((_, at) => at).sort((one, other) => Number(Boolean(why[one])) - Number(Boolean(why[other])));
    this._rows.replaceChildren(...order.map((at) => this._line(image.instances[at], /** @type {Mask} */ (masks[at]), why[at] ?? "")));
    this._mark(null);
  }

  /**
   * @param {Instance} instance
   * @param {Mask} mask
   * @param {Reason} why It does not count; empty: it does.
   */
  _line({ category, score, area, prompt }, mask, why) {
    const name = el("span", { class: "row" }, el("span", { class: `sw ${look(prompt).className}` }), el("span", { class: "trunc" }, category), why && el("small", { class: "nowrap" }, t(`why.${why}`)));
    const row = el(
      "tr",
      { class: why ? "is-out" : "", "data-mask": mask.id, tabindex: "-1", "aria-selected": "false" },
      el("td", {}, name),
      el("td", {}, number(score, 2)),
      el("td", {}, count(area)),
    );
    row.addEventListener("pointerenter", () => this.canvas?.hover(mask, Boolean(why)));
    row.addEventListener("pointerleave", () => this.canvas?.hover(null));
    row.addEventListener("click", () => !why && this._pick(mask));
    return row;
  }

  /** @param {Mask | null} mask */
  _pick(mask) {
    this._picked = mask;
    this.canvas.select(mask);
    this._mark(null);
    if (!mask) return;
    const panel = this._rows.closest(".viewer__panel"), row = this._rows.querySelector(`[data-mask="${mask.id}"]`);
    if (panel && row instanceof HTMLElement) {
      const top = row.offsetTop, end = top + row.offsetHeight;
      if (top < panel.scrollTop || end > panel.scrollTop + panel.clientHeight) panel.scrollTop = top - panel.clientHeight / 2;
    }
  }

  /** @param {Mask | null} hovered */
  _mark(hovered) {
    const chosen = hovered ?? this._picked;
    for (const row of this._rows.children) {
      const own = row instanceof HTMLElement ? row.dataset.mask : "";
      row.setAttribute("aria-selected", String(Boolean(chosen) && own === chosen?.id));
    }
  }

  /** @param {KeyboardEvent} event */
  _press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      ArrowUp: () => this._next(-1),
      ArrowDown: () => this._next(1),
      m: () => this.canvas?.veil(true),
      0: () => this.canvas?.fit(),
    };
    const run = keys[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  /** @param {number} way Choose the mask above or below in the list. */
  _next(way) {
    const counting = [...this._rows.querySelectorAll("tr:not(.is-out)")];
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

/**
 * @param {any} instance
 * @param {number} at
 * @param {number} factor Pixels of the mask for one of the image.
 * @returns {Mask}
 */
function maskOf(instance, at, factor) {
  const runs = decode(instance.segmentation), { colour, dashed } = look(instance.prompt);
  const [left, top, right, bottom] = instance.box_xyxy;
  return {
    id: String(at),
    runs,
    path: outline(runs),
    // A box of the image may lie half a pixel beside its mask in small.
    box: [left * factor - 1, top * factor - 1, right * factor + 1, bottom * factor + 1],
    area: instance.area,
    colour,
    dashed,
    label: instance.category,
  };
}

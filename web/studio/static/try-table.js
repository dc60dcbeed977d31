// @ts-check
/** The table of masks. Only rows that are in sight are made, so a thousand cost as much as ten. */

import { arrange, byId, el, on, show, swap } from "./dom.js";
import { later } from "./later.js";
import { look } from "./palette.js";
import { isDrawn, labelField } from "./try-label.js";
import { why } from "./try-why.js";
import { count, number, t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./items.js").Item} Item */
/** @typedef {"label" | "score" | "clip" | "area"} Column */

/** Rows that are made above and below those in sight. */
const MORE = 8;

/** Rows that are made where the page scrolls instead of the table. */
const LONG = 120;

/** @type {Record<Column, (item: Item) => number | string>} */
const VALUES = {
  label: (item) => `${item.name}\u0000${String(item.number).padStart(6, "0")}`,
  score: (item) => item.shown.score,
  clip: (item) => item.shown.clip_score ?? -1,
  area: (item) => item.shown.area,
};

export class Table {
  /**
   * @param {Work} work
   * @param {(id: string, name: string) => void} take Another label of a drawn object.
   */
  constructor(work, take) {
    this.work = work;
    this.take = take;
    /** Id of the object whose label is typed. */
    this.typing = "";
    /** @type {Map<string, {said: string, row: HTMLTableRowElement}>} Rows that are made, by id. */
    this.made = new Map();
    this.gaps = [gap(), gap()];
    this.scroll = byId("masks-scroll", HTMLElement);
    this.table = byId("masks", HTMLTableElement);
    this.body = /** @type {HTMLTableSectionElement} */ (this.table.tBodies[0]);
    /** @type {{column: Column, down: boolean}} */
    this.order = { column: "score", down: true };
    /** @type {Item[]} As they are listed. */
    this.rows = [];
    this.height = 28;
    this.frame = 0;
    /** Rows are to be listed anew after the picture. */
    this.late = false;
    /** The selected one is to be marked and brought into sight after the picture. */
    this.owed = false;
    on(this.scroll, "scroll", () => this.#soon());
    on(this.table, "click", (event) => this.#click(event));
    on(this.body, "dblclick", (event) => this.rename(idOf(event.target)));
    on(this.scroll, "keydown", (event) => {
      if (event.target !== this.scroll || !["Enter", "F2"].includes(event.key)) return;
      event.preventDefault();
      this.rename(this.work.selectedId);
    });
    on(this.body, "mouseover", (event) => this.work.hover(idOf(event.target)));
    on(this.body, "mouseleave", () => this.work.hover(""));
    new ResizeObserver(() => this.#soon()).observe(this.scroll);
    const after = later(() => {
      if (this.late) this.list();
      else this.#draw();
      if (this.owed) this.#reveal();
      this.owed = false;
    });
    work.on("items", () => {
      this.#count();
      this.late = true;
      after();
    });
    work.on("selection", () => {
      this.owed = true;
      after();
    });
    this.#count();
    this.list();
  }

  /** List anew what there is. */
  list() {
    this.late = false;
    const { work, order } = this;
    const value = VALUES[order.column];
    const known = work.items.filter((one) => one.reason !== "prompt");
    const out = known.filter((one) => one.reason !== "");
    const some = work.rest ? known : known.filter((one) => one.reason === "");
    const sign = order.down ? -1 : 1;
    this.rows = some.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a.number - b.number;
    });
    const rest = document.querySelector("[data-act=rest]");
    if (rest) {
      show(rest, out.length > 0);
      rest.setAttribute("aria-pressed", String(work.rest));
      swap(rest, t("masks.rest", { count: out.length }));
    }
    const none = byId("masks-none", HTMLElement);
    const low = out.every((one) => one.reason === "score");
    const count = low ? t("masks.none_count") : t("masks.none_why");
    swap(none, !work.picture?.answer ? t("masks.none") : out.length ? count : t("masks.none_found"));
    show(none, this.rows.length === 0);
    show(this.table, this.rows.length > 0);
    // Where CLIP was not asked, its column says nothing.
    this.table.classList.toggle("no-clip", known.every((one) => one.shown.clip_score === null));
    this.table.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.#draw();
  }

  /** How many count is said at once, the rows follow the picture. */
  #count() {
    const counting = this.work.items.filter((one) => one.reason === "").length;
    byId("masks-count", HTMLElement).textContent = count(counting);
  }

  /**
   * Select the next row, or the one before.
   *
   * @param {number} step
   */
  step(step) {
    // A key may be quicker than the rows, which follow the picture.
    if (this.late) this.list();
    if (!this.rows.length) return;
    const at = this.rows.findIndex((one) => one.id === this.work.selectedId);
    const next = at < 0 ? (step > 0 ? 0 : this.rows.length - 1) : at + step;
    const item = this.rows[Math.min(this.rows.length - 1, Math.max(0, next))];
    if (item) this.work.select(item.id);
  }

  #soon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
    });
  }

  /**
   * Type another label of an object that somebody drew.
   *
   * @param {string} id
   */
  rename(id) {
    const item = this.rows.find((one) => one.id === id);
    if (!item || !isDrawn(item)) return;
    this.typing = id;
    this.work.select(id);
    this.#draw();
    this.#reveal();
    const field = this.body.querySelector("[data-label]");
    if (field instanceof HTMLInputElement) field.select();
  }

  #draw() {
    const [from, to] = this.#window();
    const rows = this.rows.slice(from, to).map((item, at) => this.#kept(item, from + at));
    const ids = new Set(this.rows.slice(from, to).map((one) => one.id));
    for (const id of this.made.keys()) if (!ids.has(id)) this.made.delete(id);
    const [above, below] = /** @type {[HTMLTableRowElement, HTMLTableRowElement]} */ (this.gaps);
    stretch(above, from * this.height);
    stretch(below, (this.rows.length - to) * this.height);
    arrange(this.body, [above, ...rows, below]);
    const made = rows[0];
    const height = made?.getBoundingClientRect().height ?? 0;
    if (height && Math.abs(height - this.height) > 0.5) {
      this.height = height;
      this.#soon();
    }
  }

  /** @returns {[number, number]} */
  #window() {
    const { scroll, height, rows } = this;
    // To ask for a size lays the page out, as while it loads.
    if (!rows.length) return [0, 0];
    const scrolls = scroll.scrollHeight > scroll.clientHeight + 1 || getComputedStyle(scroll).overflowY === "auto";
    if (!scrolls) return [0, Math.min(rows.length, LONG)];
    const from = Math.max(0, Math.floor(scroll.scrollTop / height) - MORE);
    return [from, Math.min(rows.length, from + Math.ceil(scroll.clientHeight / height) + 2 * MORE)];
  }

  /**
   * The row of an item: the one that is there, where it says the same.
   *
   * @param {Item} item
   * @param {number} at
   */
  #kept(item, at) {
    const { name, number: place, slot, reason, shown, edit, id } = item;
    const types = id === this.typing;
    const note = edit?.gone ? t("why.gone") : edit ? t("masks.corrected") : reason !== "" ? why(item, this.work) : "";
    const said = JSON.stringify([name, place, slot, reason, note, shown.score, shown.clip_score, shown.area, types]);
    const known = this.made.get(id);
    const row = known?.said === said ? known.row : this.#row(item, note, types);
    if (row !== known?.row) this.made.set(id, { said, row });
    setTo(row, "aria-rowindex", String(at + 2));
    setTo(row, "aria-selected", String(id === this.work.selectedId));
    return row;
  }

  /** @param {Item} item */
  #field(item) {
    const done = (/** @type {boolean} */ alone) => {
      this.typing = "";
      if (alone) this.scroll.focus({ preventScroll: true });
      this.#soon();
    };
    return labelField(item, this.work.prompts.map((one) => one.name), (name) => this.take(item.id, name), done);
  }

  /**
   * @param {Item} item
   * @param {string} note
   * @param {boolean} types
   */
  #row(item, note, types) {
    const { shown } = item;
    const out = item.reason !== "";
    const label = el(
      "span",
      { class: "row" },
      el("span", { class: `sw ${out ? "" : look(item.slot).className}` }),
      types
        ? this.#field(item)
        : el("span", { class: "trunc" }, item.name, " ", el("span", { class: "muted" }, String(item.number))),
      note && el("small", { class: "trunc" }, note),
    );
    return el(
      "tr",
      {
        "data-id": item.id,
        class: out ? "is-out" : "",
      },
      el("td", {}, label),
      el("td", {}, number(shown.score, 3)),
      el("td", {}, shown.clip_score === null ? "–" : number(shown.clip_score, 3)),
      el("td", {}, count(shown.area)),
    );
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const target = event.target instanceof Element ? event.target : null;
    const sort = target?.closest("[data-sort]")?.getAttribute("data-sort");
    if (sort) this.#sort(/** @type {Column} */ (sort));
    else if (idOf(target)) this.work.select(idOf(target));
  }

  /** @param {Column} column */
  #sort(column) {
    const same = this.order.column === column;
    this.order = { column, down: same ? !this.order.down : column !== "label" };
    this.table.querySelectorAll("th").forEach((head) => {
      if (!head.querySelector(`[data-sort="${column}"]`)) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.order.down ? "descending" : "ascending");
    });
    this.scroll.scrollTop = 0;
    this.list();
  }

  /** Bring the selected row into sight, and nothing but the table moves. */
  #reveal() {
    const at = this.rows.findIndex((one) => one.id === this.work.selectedId);
    if (at < 0) return;
    const { scroll, height } = this;
    const head = this.table.tHead?.offsetHeight ?? 0;
    const top = at * height;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    else if (top + height + head > scroll.scrollTop + scroll.clientHeight) {
      scroll.scrollTop = top + height + head - scroll.clientHeight;
    }
  }
}

/** @param {EventTarget | null} target */
function idOf(target) {
  return target instanceof Element ? (target.closest("[data-id]")?.getAttribute("data-id") ?? "") : "";
}

function gap() {
  return el("tr", { class: "gap", "aria-hidden": "true", hidden: true }, el("td", { colspan: 4 }));
}

/** @param {HTMLTableRowElement} row @param {number} height */
function stretch(row, height) {
  const [cell] = row.cells;
  if (cell) cell.style.height = `${height}px`;
  show(row, height > 0);
}

/** @param {Element} element @param {string} name @param {string} value */
function setTo(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

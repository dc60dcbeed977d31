// @ts-check
/**
 * Tiles of a list of any length, in the page's own scrolling: there are only as many elements as the
 * window shows, and they are used again.
 *
 * One tile is in the order of Tab; arrow keys, Page Up and Down, Home and End move on from it.
 */

import { el, on } from "./dom.js";

/** Pixels: between tiles, below a tile's picture, and the least width of a tile. */
const GAP = 12, CAPTION = 30, LEAST_WIDTH = 164;

/** Rows above and below the window that are there already. */
const SPARE_ROWS = 2;

/** Pixels that browsers give an element's height; beyond, one pixel stands for several. */
const MAX_HEIGHT = 15_000_000;

/** Scrolling is calm below so many rows in a frame, and after so many milliseconds of rest. */
const CALM_ROWS = 0.75, REST = 90;

/**
 * @typedef {object} Tile
 * @property {HTMLLIElement} item
 * @property {HTMLAnchorElement} link
 * @property {number} index
 */

/**
 * @template T
 * @typedef {object} Source
 * @property {number} length
 * @property {(index: number) => T | undefined} at
 * @property {(first: number, last: number) => void} want
 */

/** @template T */
export class Gallery {
  /**
   * @param {HTMLUListElement} list
   * @param {object} how
   * @param {Source<T>} how.source
   * @param {(link: HTMLAnchorElement) => void} how.build What a tile is made of, once.
   * @param {(link: HTMLAnchorElement, item: T | undefined, calm: boolean, width: number) => void}
   *   how.paint What it shows, so many pixels wide. Not calm: it is gone again in a moment, so nothing
   *   is fetched for it.
   * @param {(index: number) => void} how.open
   * @param {HTMLElement} how.cover A bar that may stick to the window's top, over tiles.
   */
  constructor(list, { source, build, paint, open, cover }) {
    this.list = list;
    this._cover = cover;
    this.source = source;
    this._build = build;
    this._paint = paint;
    this._open = open;
    /** @type {Map<number, Tile>} By the index of what it shows. */
    this._tiles = new Map();
    /** @type {Tile[]} */
    this._spare = [];
    this._current = 0;
    this._waiting = false;
    this._rest = 0;
    this._before = 0;
    this._calm = true;
    this._columns = 1;
    this._rowHeight = 1;
    this._width = LEAST_WIDTH;
    this._height = -1;
    const sizes = new ResizeObserver(() => this._measure());
    sizes.observe(list);
    const stops = [
      on(globalThis, "scroll", () => this.update(), { passive: true }),
      on(globalThis, "resize", () => this._measure()),
      on(list, "keydown", (/** @type {KeyboardEvent} */ event) => this._press(event)),
      on(list, "focusin", (/** @type {FocusEvent} */ event) => this._focused(event)),
      on(list, "click", (/** @type {MouseEvent} */ event) => this._click(event)),
      () => sizes.disconnect(),
    ];
    this.close = () => stops.forEach((stop) => stop());
    this._measure();
  }

  /** @param {Source<T>} source Another list, from its beginning. */
  restart(source) {
    this.source = source;
    this._current = 0;
    if (this._offset() > 0) this._scrollTo(0);
    this.update();
  }

  /**
   * Bring an item into the window, and give its tile the focus if told.
   *
   * @param {number} index
   * @param {boolean} [focus]
   */
  reveal(index, focus = false) {
    this._current = index;
    const row = Math.floor(index / this._columns), top = row * this._rowHeight;
    const [from, to] = this._seen();
    if (top < from) this._scrollTo(top);
    else if (top + this._rowHeight > to) this._scrollTo(top + this._rowHeight - (to - from));
    this._draw();
    if (focus) this._tiles.get(index)?.link.focus({ preventScroll: true });
  }

  /** Give the focus back to the tile that had it last. */
  focus() {
    this.reveal(Math.min(this._current, Math.max(0, this.source.length - 1)), true);
  }

  _measure() {
    const width = this.list.clientWidth;
    if (!width) return;
    const two = width < 2 * LEAST_WIDTH + GAP ? 2 : 1;
    this._columns = Math.max(two, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
    this._width = (width - GAP * (this._columns - 1)) / this._columns;
    this._rowHeight = Math.round(this._width * 0.75) + CAPTION + GAP;
    for (const tile of this._tiles.values()) this._place(tile);
    this.update();
  }

  /** Show, with the next frame, what the source has now. */
  update() {
    if (this._waiting) return;
    this._waiting = true;
    requestAnimationFrame(() => {
      this._waiting = false;
      this._draw();
    });
  }

  /** Height of all rows in pixels, and of the element that stands for them. */
  _heights() {
    const all = Math.ceil(this.source.length / this._columns) * this._rowHeight;
    return { all, real: Math.min(all, MAX_HEIGHT) };
  }

  /** Pixels of the element that are above what can be seen of it. */
  _offset() {
    return this._bar() - this.list.getBoundingClientRect().top;
  }

  /** Pixels at the window's top that bars cover. */
  _bar() {
    const { position, top } = getComputedStyle(this._cover);
    return position === "sticky" ? this._cover.offsetHeight + parseFloat(top || "0") : 0;
  }

  /** @returns {[number, number]} From where to where rows can be seen, in pixels of all rows. */
  _seen() {
    const { all, real } = this._heights();
    const height = Math.max(0, innerHeight - this._bar());
    const offset = Math.max(0, Math.min(this._offset(), Math.max(0, real - height)));
    const from = all > real && real > height ? (offset * (all - height)) / (real - height) : offset;
    return [from, from + height];
  }

  /** @param {number} top In pixels of all rows. */
  _scrollTo(top) {
    const { all, real } = this._heights();
    const height = innerHeight - this._bar();
    const offset = all > real && all > height ? (top * (real - height)) / (all - height) : top;
    scrollTo({ top: scrollY + offset - this._offset(), behavior: "instant" });
  }

  _draw() {
    const { all, real } = this._heights();
    // Asked only if it changed, as what is measured next would else wait for the layout.
    if (this._height !== real) this.list.style.height = `${real}px`;
    this._height = real;
    const [from, to] = this._seen();
    this._shift = all > real ? Math.max(0, this._offset()) - from : 0;
    const moved = Math.abs(from - this._before);
    this._before = from;
    this._calm = moved < CALM_ROWS * this._rowHeight;
    clearTimeout(this._rest);
    if (moved) this._rest = setTimeout(() => this._draw(), REST);
    const first = Math.max(0, Math.floor(from / this._rowHeight) - SPARE_ROWS) * this._columns;
    const rows = Math.ceil(to / this._rowHeight) + SPARE_ROWS;
    const last = Math.min(this.source.length, rows * this._columns);
    this.source.want(first, last);
    this._free(first, last);
    for (let index = first; index < last; index++) this._show(index);
    const kept = this._tiles.get(this._current);
    if (kept && (this._current < first || this._current >= last)) this._place(kept);
    this._tabStop(first, last);
  }

  /**
   * Take tiles that nobody sees out of use; one that has the focus keeps it.
   *
   * @param {number} first
   * @param {number} last
   */
  _free(first, last) {
    for (const [index, tile] of this._tiles) {
      if (index >= first && index < last) continue;
      if (tile.link === document.activeElement && index < this.source.length) continue;
      this._tiles.delete(index);
      this._spare.push(tile);
      tile.item.hidden = true;
    }
  }

  /** @param {number} index */
  _show(index) {
    let tile = this._tiles.get(index);
    if (!tile) {
      tile = this._spare.pop() ?? this._make();
      tile.index = index;
      tile.item.hidden = false;
      tile.item.setAttribute("aria-posinset", String(index + 1));
      this._tiles.set(index, tile);
    }
    this._place(tile);
    tile.item.setAttribute("aria-setsize", String(this.source.length));
    this._paint(tile.link, this.source.at(index), this._calm, this._width);
  }

  /** @returns {Tile} */
  _make() {
    const link = el("a", { class: "tile", tabindex: "-1" });
    const item = el("li", {}, link);
    this._build(link);
    this.list.append(item);
    return { item, link, index: -1 };
  }

  /** @param {Tile} tile */
  _place({ item, index }) {
    const row = Math.floor(index / this._columns), column = index % this._columns;
    const x = column * (this._width + GAP);
    const y = row * this._rowHeight + (this._shift ?? 0);
    item.style.width = `${this._width}px`;
    item.style.transform = `translate(${x}px, ${y}px)`;
  }

  /**
   * @param {number} first
   * @param {number} last
   */
  _tabStop(first, last) {
    const there = this._tiles.has(this._current) ? this._current : Math.min(first, last - 1);
    for (const [index, tile] of this._tiles) tile.link.tabIndex = index === there ? 0 : -1;
  }

  /** @param {Event} event @returns {Tile | undefined} */
  _of(event) {
    const at = event.target instanceof Element ? event.target.closest("a.tile") : null;
    return at ? [...this._tiles.values()].find((tile) => tile.link === at) : undefined;
  }

  /** @param {FocusEvent} event */
  _focused(event) {
    const tile = this._of(event);
    if (!tile) return;
    this._current = tile.index;
    for (const one of this._tiles.values()) one.link.tabIndex = one === tile ? 0 : -1;
  }

  /** @param {MouseEvent} event */
  _click(event) {
    const tile = this._of(event);
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey || !this.source.at(tile.index)) return;
    event.preventDefault();
    this._current = tile.index;
    this._open(tile.index);
  }

  /** @param {KeyboardEvent} event */
  _press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = this._columns * Math.max(1, Math.floor(innerHeight / this._rowHeight) - 1);
    /** @type {Record<string, number>} */
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this._columns,
      ArrowDown: this._columns,
      PageUp: -page,
      PageDown: page,
      Home: -Infinity,
      End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const last = this.source.length - 1;
    const to = Math.max(0, Math.min(last, this._current + step));
    // A step up or down beside the last row stays where it is.
    if (Math.abs(step) === this._columns && Math.abs(to - this._current) !== this._columns) return;
    if (last >= 0) this.reveal(to, true);
  }
}

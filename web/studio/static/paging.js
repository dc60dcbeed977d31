// @ts-check
/**
 * A long list that a server gives page by page: any part of it, with a bounded number of pages kept.
 *
 * Pages are asked for by the cursor before them; a jump asks from the nearest cursor that is known
 * and skips the rest.
 */

/**
 * @template T
 * @typedef {object} Page
 * @property {T[]} items
 * @property {string | null} next Cursor of the next page; null at the end.
 * @property {number | null} [total] How long the list is.
 * @property {boolean} [isAbout] Whether that is an estimate.
 */

/**
 * @typedef {object} Wish
 * @property {string | null} after Cursor; null: from the beginning.
 * @property {number} skip Items to pass over behind it.
 * @property {number} limit
 * @property {AbortSignal} signal
 */

/** Pages that are kept, and that are asked for at once. */
const KEPT = 10, AT_ONCE = 2;

/** @template T */
export class Paging {
  /**
   * @param {object} how
   * @param {(wish: Wish) => Promise<Page<T>>} how.load
   * @param {() => void} how.onchange Something came.
   * @param {(error: unknown) => void} how.onerror
   * @param {number | null} [how.total] How long the list is; null: nobody knows.
   * @param {number} [how.size] Of a page.
   */
  constructor({ load, onchange, onerror, total = null, size = 100 }) {
    this.size = size;
    this._load = load;
    this._onchange = onchange;
    this._onerror = onerror;
    this._total = total;
    /** Whether nobody can rely on the total. */
    this._isAbout = total === null;
    /** @type {number | null} The list ends here, as a page said. */
    this._end = null;
    /** Items that are there for certain. */
    this._seen = 0;
    /** @type {Map<number, T[]>} Least lately used first. */
    this._pages = new Map();
    /** @type {Map<number, string>} Before which page each cursor stands. */
    this._cursors = new Map();
    /** @type {Set<number>} To be asked for again, though they are there. */
    this._stale = new Set();
    /** @type {Map<number, AbortController>} */
    this._asked = new Map();
    /** @type {number[]} */
    this._wanted = [];
    this._closed = false;
  }

  /** Items of the list, as far as anybody knows: one page more than was seen where it goes on. */
  get length() {
    if (this._end !== null) return this._end;
    return Math.max(this._total ?? 0, this._seen + (this._isAbout && this._seen ? this.size : 0));
  }

  /** Whether the length is exact. */
  get exact() {
    return this._end !== null || !this._isAbout;
  }

  /** Whether the end was seen. */
  get ended() {
    return this._end !== null;
  }

  /** Whether anything came so far. */
  get begun() {
    return this._end !== null || this._seen > 0;
  }

  /**
   * One item, if it is here.
   *
   * @param {number} index
   * @returns {T | undefined}
   */
  at(index) {
    return this._pages.get(Math.floor(index / this.size))?.[index % this.size];
  }

  /**
   * Say what is looked at; what is missing of it is asked for, and what nobody wants any more is not.
   *
   * @param {number} first
   * @param {number} last Exclusive.
   */
  want(first, last) {
    const from = Math.max(0, Math.floor(first / this.size));
    const to = Math.max(from, Math.ceil(last / this.size) - 1);
    /** @type {number[]} */
    const pages = [];
    for (let page = from; page <= to; page++) {
      pages.push(page);
      this._touch(page);
    }
    // The next ones, before anybody scrolls there.
    const ahead = [to + 1, from - 1].filter((page) => page >= 0 && page * this.size < this.length);
    this._wanted = [...pages, ...ahead].filter((page) => !this._has(page));
    for (const [page, stop] of this._asked) {
      if (!pages.includes(page) && !ahead.includes(page)) stop.abort();
    }
    this._go();
  }

  /**
   * Ask again for what is looked at: it may have changed. What is here stays until then.
   *
   * @param {number | null} [total] How long the list is now.
   */
  refresh(total = this._total) {
    if (total !== this._total) {
      this._total = total;
      this._isAbout = total === null;
    }
    for (const page of this._pages.keys()) this._stale.add(page);
    if (total !== null && this._end !== null && total > this._end) this._end = null;
    this._onchange();
  }

  /** Ask for nothing more. */
  close() {
    this._closed = true;
    this._asked.forEach((stop) => stop.abort());
  }

  /** @param {number} page */
  _has(page) {
    if (this._end !== null && page * this.size >= this._end && page > 0) return true;
    return this._pages.has(page) && !this._stale.has(page);
  }

  /** @param {number} page */
  _touch(page) {
    const items = this._pages.get(page);
    if (!items) return;
    this._pages.delete(page);
    this._pages.set(page, items);
  }

  _go() {
    for (const page of this._wanted) {
      if (this._asked.size >= AT_ONCE || this._closed) return;
      if (!this._asked.has(page) && !this._has(page)) this._ask(page);
    }
  }

  /** @param {number} page */
  async _ask(page) {
    const stop = new AbortController();
    this._asked.set(page, stop);
    let known = page;
    while (known > 0 && !this._cursors.has(known)) known--;
    const after = this._cursors.get(known) ?? null;
    const skip = (page - known) * this.size;
    try {
      const found = await this._load({ after, skip, limit: this.size, signal: stop.signal });
      if (!stop.signal.aborted) this._keep(page, found);
    } catch (error) {
      if (!stop.signal.aborted) this._fail(page, error);
    } finally {
      this._asked.delete(page);
    }
    if (!this._closed) this._go();
  }

  /**
   * @param {number} page
   * @param {unknown} error
   */
  _fail(page, error) {
    // It is wanted again with the next look at the list, and not at once.
    this._wanted = this._wanted.filter((one) => one !== page);
    this._onerror(error);
  }

  /**
   * @param {number} page
   * @param {Page<T>} found
   */
  _keep(page, { items, next, total = null, isAbout = false }) {
    if (total !== null) {
      this._total = total;
      this._isAbout = isAbout;
    }
    this._pages.delete(page);
    this._pages.set(page, items);
    this._stale.delete(page);
    const behind = page * this.size + items.length;
    this._seen = Math.max(this._seen, items.length ? behind : 0);
    if (next !== null) this._cursors.set(page + 1, next);
    else if (items.length || page === 0) this._end = behind;
    else this._end = Math.min(this._end ?? Infinity, page * this.size);
    for (const old of this._pages.keys()) {
      if (this._pages.size <= KEPT) break;
      this._pages.delete(old);
      this._stale.delete(old);
    }
    this._onchange();
  }
}

// @ts-check
/** The pictures of a batch: filtered, ordered, as tiles; the choice stands in the address. */

import { explain, get } from "./api.js";
import { byId, el, icon, on, show, swap } from "./dom.js";
import { Gallery } from "./gallery.js";
import { Paging } from "./paging.js";
import { setQuery } from "./query.js";
import { StoredMasks } from "./stored-masks.js";
import { build, paint } from "./tile.js";
import { t } from "./words.js";

/**
 * @import { Reading } from "./reading.js"
 * @import { Row, View } from "./tile.js"
 */

/** Images of a page; milliseconds after the last key before a filter is asked for. */
const PAGE = 200, SETTLE = 350;

/** Names of what is chosen, in the address. */
const FIELDS = ["found", "prompt", "min", "max", "order"];

export class BatchGallery {
  /**
   * @param {object} how
   * @param {string} how.batchId
   * @param {string[]} how.names Of the prompts.
   * @param {() => Reading} how.reading
   * @param {() => number} how.total Images of the batch.
   * @param {() => boolean} how.tried Whether the reading differs from what is saved.
   * @param {(index: number) => void} how.open
   */
  constructor({ batchId, names, reading, total, tried, open }) {
    this._path = `/api/v1/batches/${batchId}/images`;
    this._total = total;
    this._tried = tried;
    this._seed = Math.floor(Math.random() * 2 ** 31);
    this._masks = new StoredMasks(batchId, () => this.gallery?.update());
    /** @type {number[]} */
    this._seen = [];
    /** @type {View} */
    this._view = { batchId, reading: reading(), names, version: 0, width: 0, stored: (seq) => this._masks.at(seq) };
    this._reading = reading;
    /** Called once something of the list came, or nothing will. */
    this._arrived = () => {};
    byId("prompt", HTMLElement).append(...names.map((name) => el("option", { value: name }, name)));
    this._wire();
    this.paging = this._paging();
    this.gallery = new Gallery(byId("tiles", HTMLUListElement), {
      source: this.paging,
      build,
      paint: (link, row, calm, width) => this._paint(link, row, calm, width),
      open,
      cover: byId("filters", HTMLElement),
    });
  }

  /** What counts changed: the masks are drawn anew, from what is here. */
  redraw() {
    this._view.reading = this._reading();
    this._view.version++;
    this.gallery.update();
    this._count();
  }

  /**
   * Where an image stands in the list as it is filtered; null: not on its first page.
   *
   * @param {number} seq
   * @returns {Promise<number | null>}
   */
  async place(seq) {
    const { paging } = this;
    if (!paging.begun) await new Promise((resolve) => (this._arrived = () => resolve(null)));
    for (let at = 0; at < Math.min(PAGE, paging.length); at++) {
      if (paging.at(at)?.seq === seq) return at;
    }
    return null;
  }

  /** The batch went on. */
  refresh() {
    this.paging.refresh(this._plain() ? this._total() : null);
  }

  /** Ask again for the list, from its beginning. */
  restart() {
    this.paging.close();
    this.paging = this._paging();
    this.gallery.restart(this.paging);
    this._say();
  }

  /** @param {string} name Of a filter. */
  choose(name, value = "") {
    setQuery({ [name]: value });
    this._mark();
    this.restart();
  }

  /** @returns {Record<string, string>} */
  _chosen() {
    const query = new URLSearchParams(location.search);
    return Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""]));
  }

  /** Whether all images are listed, so that their number is known. */
  _plain() {
    const { found, prompt, min, max } = this._chosen();
    return !found && !prompt && !min && !max;
  }

  /** Whether what counts decides which pictures are listed, and in which order. */
  _judged() {
    const { found, prompt, min, max, order } = this._chosen();
    return found !== "failed" && Boolean(found || prompt || min || max || order === "uncertain");
  }

  _query() {
    const { found, prompt, min, max, order } = this._chosen();
    return {
      state: found === "failed" ? "failed" : found === "none" ? "done" : null,
      found: found === "found" ? true : found === "none" ? false : null,
      prompt: found === "failed" ? null : prompt || null,
      min_score: found === "failed" ? null : min || null,
      max_score: found === "failed" ? null : max || null,
      order: order || null,
      seed: order === "random" ? this._seed : null,
    };
  }

  /** @returns {Paging<Row>} */
  _paging() {
    const query = this._query();
    return new Paging({
      size: PAGE,
      total: this._plain() ? this._total() : null,
      load: async ({ after, skip, limit, signal }) => {
        const asked = { ...query, after, skip: skip || null, limit };
        const { images, next, total, total_is_about: isAbout } = await get(this._path, { query: asked, signal });
        return { items: images, next, total, isAbout };
      },
      onchange: () => {
        this.gallery?.update();
        this._say();
        this._arrived();
      },
      onerror: (error) => {
        this._say(error);
        this._arrived();
      },
    });
  }

  /**
   * @param {HTMLAnchorElement} link
   * @param {Row | undefined} row
   * @param {boolean} calm
   * @param {number} width
   */
  _paint(link, row, calm, width) {
    this._view.width = width;
    paint(link, row, calm, this._view);
    if (!calm || row?.state !== "done") return;
    // All tiles of one look ask together.
    if (!this._seen.length) {
      queueMicrotask(() => {
        this._masks.want(this._seen);
        this._seen = [];
      });
    }
    this._seen.push(row.seq);
  }

  /** Say how many are listed, and by which settings they were chosen. */
  _count() {
    const { length, begun, exact } = this.paging, sum = byId("gallery-sum", HTMLElement);
    const words = begun ? t(exact ? "gallery.count" : "gallery.count_about", { count: length }) : "";
    // The server filters by what is saved, and the tiles show what is tried.
    const whole = begun && this._tried() && this._judged() ? `${words} · ${t("gallery.as_saved")}` : words;
    // The same said again is read out again.
    if (sum.textContent !== whole) swap(sum, whole);
  }

  /** @param {unknown} [error] */
  _say(error) {
    const { length, ended } = this.paging, note = byId("gallery-note", HTMLElement);
    this._count();
    if (error) {
      const again = el("button", { class: "btn", type: "button", onclick: () => this.restart() }, t("again"));
      swap(note, icon("warn"), el("p", {}, explain(error)), again);
    } else if (ended && !length) {
      const clear = el("button", { class: "btn", type: "button", onclick: () => this._clear() }, t("gallery.clear"));
      swap(note, icon("picture"), el("p", {}, t(this._plain() ? "gallery.nothing" : "gallery.none_here")), !this._plain() && clear);
    }
    show(note, Boolean(error) || (ended && !length));
  }

  _clear() {
    const order = this._chosen().order;
    history.replaceState(history.state, "", `${location.pathname}${order ? `?order=${order}` : ""}${location.hash}`);
    this._mark();
    this.restart();
  }

  _wire() {
    document.querySelectorAll("input[name=found]").forEach((one) =>
      one.addEventListener("change", () => {
        const { value } = /** @type {HTMLInputElement} */ (one);
        this.choose("found", value === "all" ? "" : value);
      })
    );
    for (const name of ["prompt", "order"]) {
      const field = byId(name, HTMLSelectElement);
      field.addEventListener("change", () => {
        if (name === "order" && field.value === "random") this._seed = Math.floor(Math.random() * 2 ** 31);
        this.choose(name, field.value === "seq" ? "" : field.value);
      });
    }
    for (const name of ["min", "max"]) {
      const field = byId(name, HTMLInputElement);
      let timer = 0;
      on(field, "input", () => {
        clearTimeout(timer);
        timer = setTimeout(() => field.validity.valid && this._bounds(), SETTLE);
      });
    }
    this._mark();
  }

  /** Ask with the bounds that are typed, if they are in order. */
  _bounds() {
    const [min, max] = ["min", "max"].map((name) => byId(name, HTMLInputElement));
    if (!min || !max) return;
    const wrong = min.value && max.value && Number(min.value) > Number(max.value);
    max.setAttribute("aria-invalid", String(Boolean(wrong)));
    if (wrong) return;
    if (this._chosen().min !== min.value) this.choose("min", min.value);
    if (this._chosen().max !== max.value) this.choose("max", max.value);
  }

  /** Let the controls show what is chosen. */
  _mark() {
    const chosen = this._chosen();
    document.querySelectorAll("input[name=found]").forEach((one) => {
      if (one instanceof HTMLInputElement) one.checked = one.value === (chosen.found || "all");
    });
    byId("order", HTMLSelectElement).value = chosen.order || "seq";
    byId("prompt", HTMLSelectElement).value = chosen.prompt ?? "";
    for (const name of ["min", "max"]) {
      const field = byId(name, HTMLInputElement);
      if (document.activeElement !== field) field.value = chosen[name] ?? "";
      field.disabled = chosen.found === "failed" || chosen.found === "none";
    }
    byId("prompt", HTMLSelectElement).disabled = chosen.found === "failed";
  }
}

// @ts-check
/**
 * What counts in a batch: tried at once on what is stored, counted from its histogram, and saved for
 * everybody.
 */

import { ApiError, ask, explain, get } from "./api.js";
import { shareBar } from "./batch-parts.js";
import { countsAt, HistogramDrawing } from "./counts.js";
import { byId, el, show, swap } from "./dom.js";
import { look } from "./palette.js";
import { readingForm } from "./reading-form.js";
import { number, t } from "./words.js";

/**
 * @import { Histogram } from "./counts.js"
 * @import { Reading } from "./reading.js"
 */

/** Milliseconds between two looks for what somebody else saved. */
const LOOK = 8000;

export class BatchReading {
  /**
   * @param {object} how
   * @param {string} how.batchId
   * @param {string[]} how.names Of the prompts.
   * @param {Record<string, string>} how.texts What was sent for a name, where it is another text.
   * @param {boolean} how.mayChange
   * @param {() => void} how.onchange What counts changed.
   * @param {() => void} how.onsave It was saved.
   */
  constructor({ batchId, names, texts, mayChange, onchange, onsave }) {
    this._path = `/api/v1/batches/${batchId}`;
    this._names = names;
    this._texts = texts;
    this._mayChange = mayChange;
    this._onchange = onchange;
    this._onsave = onsave;
    /** @type {Reading} */
    this.now = { threshold: 0.5, max_overlap: null, max_against: 0.3, exclusive: false, prompts: {} };
    this._saved = JSON.stringify(this.now);
    this._etag = "";
    /** @type {Histogram | null} */
    this._histogram = null;
    this._drawing = new HistogramDrawing();
    this._form = readingForm({
      reading: () => this.now,
      onchange: () => this._changed(),
      noOverlap: number(1, 2),
      above: /** @type {any} */ (this._drawing.element),
    });
    // Until what is saved is known, or a hand that was quicker would be overruled.
    this._form.element.inert = true;
    byId("reading", HTMLElement).append(this._form.element);
    byId("reset", HTMLElement).addEventListener("click", () => this.reset());
    byId("save", HTMLElement).addEventListener("click", () => this.save());
    setInterval(() => document.hidden || this.look().catch(() => {}), LOOK);
  }

  /** Masks that count; null while nobody knows. */
  get masks() {
    return this._histogram?.ready ? this._counts().kept : null;
  }

  /** Whether it differs from what is saved. */
  get changed() {
    return JSON.stringify(this.now) !== this._saved;
  }

  /** Read what is saved; what somebody is trying here stays. */
  async look() {
    /** @type {Record<string, string>} */
    const headers = this._etag ? { "If-None-Match": this._etag } : {};
    const response = await ask("GET", `${this._path}/reading`, { headers }).catch((error) => {
      if (error instanceof ApiError && error.status === 304) return null;
      throw error;
    });
    if (!response) return;
    const mine = this.changed, first = !this._etag;
    this._etag = response.headers.get("etag") ?? "";
    this._take((await response.json()).reading, mine && !first);
    if (mine && !first) swap(byId("save-note", HTMLElement), t("reading.theirs"));
    if (!first) await this.count();
  }

  /**
   * @param {any} reading
   * @param {boolean} keep What is tried here.
   */
  _take(reading, keep) {
    const whole = /** @type {Reading} */ ({ ...reading, prompts: reading.prompts ?? {} });
    this._saved = JSON.stringify(sorted(whole));
    if (!keep) this.now = sorted(whole);
    this._form.element.inert = false;
    this._form.draw();
    this._changed();
  }

  /** Fetch the histogram. */
  async count() {
    this._histogram = await get(`${this._path}/histogram`);
    if (this._histogram?.ready) this._drawing.show(this._histogram.together.instances);
    this._draw();
  }

  _changed() {
    this._draw();
    this._onchange();
  }

  _counts() {
    const histogram = /** @type {Histogram} */ (this._histogram);
    return countsAt(histogram, this.now.threshold, (name) => this.now.prompts[name]?.threshold ?? undefined);
  }

  _draw() {
    const { changed } = this;
    show(byId("saveline", HTMLElement), this._mayChange && changed);
    show(byId("reset", HTMLElement), changed);
    if (!changed) swap(byId("save-note", HTMLElement));
    this._drawing.move(this.now.threshold);
    const keeps = byId("keeps", HTMLElement);
    if (!this._histogram?.ready) {
      swap(keeps, this._histogram ? t("counts.not_yet") : "");
      show(byId("counts-box", HTMLElement), false);
      return;
    }
    const found = this._counts();
    const saved = JSON.parse(this._saved);
    const others = ["max_overlap", "max_against", "exclusive"].some((name) => saved[name] !== /** @type {any} */ (this.now)[name]);
    const words = found.about || others ? "counts.keeps_about" : "counts.keeps";
    swap(keeps, t(words, { count: found.kept, stored: found.stored }), " ", others && t("counts.after_saving"));
    show(byId("counts-box", HTMLElement), true);
    const most = Math.max(1, ...found.prompts.map((one) => one.count));
    byId("counts", HTMLElement).replaceChildren(
      ...found.prompts.map((one) => this._line(one, most)),
    );
  }

  /**
   * @param {{name: string, count: number}} one
   * @param {number} most
   */
  _line({ name, count }, most) {
    const { className } = look(Math.max(0, this._names.indexOf(name))), sent = this._texts[name];
    return el(
      "li",
      { class: className },
      el("span", { class: "sw", "aria-hidden": "true" }),
      el("span", { class: "trunc", title: sent ? t("what_of", { what: name, about: t("batch.sent_as", { text: sent }) }) : name }, name, sent && el("small", { class: "muted" }, ` ${sent}`)),
      el("span", { class: "num" }, number(count, 0)),
      shareBar(count / most, className),
    );
  }

  /** Go back to what is saved. */
  reset() {
    this.now = JSON.parse(this._saved);
    this._form.draw();
    this._changed();
  }

  /** Save it for everybody, unless somebody else did so meanwhile. */
  async save() {
    const note = byId("save-note", HTMLElement), button = byId("save", HTMLButtonElement);
    button.disabled = true;
    try {
      const response = await ask("PUT", `${this._path}/reading`, { body: this.now, headers: { "If-Match": this._etag } });
      this._etag = response.headers.get("etag") ?? "";
      this._take((await response.json()).reading, false);
      await this.count();
      this._onsave();
    } catch (error) {
      swap(note, explain(error));
      if (error instanceof ApiError && error.code === "stale") await this._stale(note);
    }
    button.disabled = false;
  }

  /** @param {HTMLElement} note */
  async _stale(note) {
    const mine = this.now;
    await this.look();
    const take = el("button", { class: "btn", type: "button", onclick: () => this.reset() }, t("reading.take_theirs"));
    this.now = mine;
    this._form.draw();
    this._changed();
    swap(note, t("reading.theirs"), " ", take);
  }
}

/**
 * With its fields in one order, so that texts of it can be compared.
 *
 * @param {Reading} reading
 * @returns {Reading}
 */
function sorted({ threshold, max_overlap, max_against, exclusive, prompts }) {
  return { threshold, max_overlap, max_against, exclusive, prompts };
}

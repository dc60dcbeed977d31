// @ts-check
/** Which kind of source a new batch has, and the pictures that came along from Try. */

import { byId, el, icon, iconButton, show, swap } from "./dom.js";
import { t } from "./words.js";

/**
 * @import { CarriedPicture } from "./carry.js"
 * @import { Draft } from "./new-batch-draft.js"
 * @import { UploadQueue } from "./upload-queue.js"
 */

/** Uploads that one request takes, with that of the form. */
const MOST = 99;

/**
 * Lay pictures into a draft; a source of another kind that is chosen already stays.
 *
 * @param {Draft} draft
 * @param {CarriedPicture[]} pictures
 * @param {number} at Which of them was open.
 * @param {number} left How many of Try's pictures are not among them.
 */
export function bringAlong(draft, pictures, at, left) {
  // The one that was open is among them, however many there are.
  const from = Math.max(0, Math.min(at, pictures.length - MOST));
  const brought = pictures.slice(from, from + MOST), broughtLeft = left + pictures.length - brought.length;
  Object.assign(draft, { brought, broughtAt: at < 0 ? -1 : at - from, broughtLeft });
  if (brought.length && !draft.places.length && !draft.list.trim()) draft.source = "upload";
}

/**
 * @param {Draft} draft
 * @param {() => void} onchange
 */
export function wireSource(draft, onchange) {
  const shown = () => {
    for (const name of ["upload", "places", "list"]) show(byId(`source-${name}`, HTMLElement), name === draft.source);
  };
  document.querySelectorAll("input[name=source]").forEach((one) => {
    const field = /** @type {HTMLInputElement} */ (one);
    field.checked = field.value === draft.source;
    field.addEventListener("change", () => {
      draft.source = /** @type {Draft["source"]} */ (field.value);
      onchange();
      shown();
    });
  });
  shown();
}

export class Brought {
  /**
   * @param {Draft} draft
   * @param {() => UploadQueue | null} queue What else is in the batch.
   * @param {() => void} onchange
   */
  constructor(draft, queue, onchange) {
    this._draft = draft;
    this._queue = queue;
    this._onchange = onchange;
    this._drawn = "";
  }

  /** Say which pictures came along, with what takes them out again. */
  draw() {
    const { brought, broughtAt, broughtLeft } = this._draft, line = byId("brought", HTMLElement);
    const listed = Boolean(this._queue()?.manifest);
    const now = JSON.stringify([brought, broughtAt, broughtLeft, listed]);
    // Told with each step of an upload: what somebody is about to press stays.
    if (now === this._drawn) return;
    this._drawn = now;
    show(line, brought.length + broughtLeft > 0);
    const [first] = brought, open = brought[broughtAt];
    const some = brought.length ? t("brought.some", { count: brought.length }) : "";
    const words = brought.length === 1 && first ? t("brought.one", { name: first.file }) : some;
    const left = broughtLeft > 0 && el("span", { class: "muted" }, " ", t("brought.left", { count: broughtLeft }));
    const only = open && brought.length > 1 && el(
      "button",
      { class: "btn", type: "button", title: open.file, onclick: () => this._keep([open], 0) },
      el("span", { class: "trunc" }, t("brought.only", { name: open.file })),
    );
    swap(
      line,
      icon("picture"),
      el("p", { class: "grow" }, words, left, listed && some && el("span", { class: "hint--bad" }, " ", t("brought.listed"))),
      only,
      iconButton("close", t("brought.remove"), () => this._keep([], -1)),
    );
  }

  /**
   * @param {CarriedPicture[]} brought
   * @param {number} broughtAt
   */
  _keep(brought, broughtAt) {
    Object.assign(this._draft, { brought, broughtAt, broughtLeft: 0 });
    this.draw();
    this._onchange();
  }
}

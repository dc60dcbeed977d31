// @ts-check
/** A window over the page, which Escape and a press beside it close. */

import { ApiError, explain } from "./api.js";
import { append, el, iconButton, swap } from "./dom.js";
import { t } from "./words.js";

let count = 0;

/**
 * Open a window.
 *
 * @param {string} title
 * @param {(Node | string)[]} body
 * @param {(Node | string)[]} [acts] Buttons below it.
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, body, acts = []) {
  const id = `dialog-${++count}`;
  const close = () => dialog.close();
  const dialog = el(
    "dialog",
    { class: "dialog", "aria-labelledby": id, onclose: () => dialog.remove() },
    el("div", { class: "dialog__head" }, el("h2", { id }, title), iconButton("close", t("close"), close)),
    el("div", { class: "dialog__body" }, ...body),
    acts.length > 0 && el("div", { class: "dialog__acts" }, ...acts),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Open a window at once and fill it when its part of the page is there: keys that are pressed
 * meanwhile are the window's, so that none of them acts on the page behind it.
 *
 * @param {string} title
 * @param {(close: () => void) => Promise<{body: Node[], acts?: Node[]}>} load
 */
export function openPart(title, load) {
  const body = el("div", { class: "stack" });
  const dialog = openDialog(title, [body]);
  const close = () => dialog.close();
  const fill = async () => {
    swap(body, el("p", { class: "muted", role: "status" }, t("dialog.loading")));
    try {
      const { body: parts, acts = [] } = await load(close);
      if (!dialog.open) return;
      swap(body, ...parts);
      if (acts.length) append(dialog, el("div", { class: "dialog__acts" }, ...acts));
    } catch (error) {
      const again = el("button", { class: "btn", type: "button", onclick: fill }, t("dialog.again"));
      swap(body, el("p", { class: "hint hint--bad", role: "alert" }, explain(error)), el("div", {}, again));
      if (!(error instanceof ApiError)) throw error;
    }
  };
  fill();
}

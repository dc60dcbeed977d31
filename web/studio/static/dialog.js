// @ts-check
/** A window over the page, which Escape and a press beside it close. */

import { el, iconButton } from "./dom.js";
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

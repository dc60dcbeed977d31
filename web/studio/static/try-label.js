// @ts-check
/** The label of an object that somebody drew, in a field: Enter takes it, Escape leaves it. */

import { el, onEnter } from "./dom.js";
import { t } from "./words.js";

/** @typedef {import("./items.js").Item} Item */

/** Characters of a category's name that the server takes. */
const MOST = 200;

/** Whether the label of an item is somebody's own to choose. @param {Item} item */
export function isDrawn({ edit }) {
  return edit !== null && edit.replaces === null;
}

/**
 * @param {Item} item
 * @param {string[]} names Of the prompts, to choose from.
 * @param {(name: string) => void} take
 * @param {(alone: boolean) => void} [leave] Nothing is typed any more, and nothing else has the focus.
 * @returns {HTMLInputElement}
 */
export function labelField(item, names, take, leave = (_alone) => {}) {
  let open = true;
  const end = (/** @type {FocusEvent} */ event) => {
    if (!open) return;
    open = false;
    leave(event.relatedTarget === null);
    if (input.value !== item.name) take(input.value);
    open = true;
  };
  const input = el("input", {
    class: "input label-field",
    "data-label": item.id,
    "aria-label": t("label.change", { name: `${item.name} ${item.number}` }),
    list: "label-names",
    maxlength: MOST,
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "done",
    value: item.name,
    onblur: end,
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation();
      input.value = item.name;
      input.blur();
    },
  });
  onEnter(input, () => input.blur());
  const list = document.getElementById("label-names");
  list?.replaceChildren(...names.map((value) => el("option", { value })));
  return input;
}

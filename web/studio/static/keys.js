// @ts-check
/**
 * Keys of the page: what each does; the window that lists them is loaded when it is wanted.
 *
 * Single letters rest while a field has focus or a dialog is open.
 */

import { openPart } from "./dialog.js";
import { part } from "./part.js";
import { t } from "./words.js";

/**
 * @typedef {object} Hotkey
 * @property {string} key As `KeyboardEvent.key` has it, letters in lower case: `p`, `ArrowUp`, `?`.
 * @property {string} name What it does, for the dialog.
 * @property {(event: KeyboardEvent) => void} run
 * @property {(event: KeyboardEvent) => void} [release] When the key is let go.
 * @property {string} [shown] On the key cap, where `key` would not do.
 * @property {boolean} [ctrl] With Ctrl or Cmd.
 * @property {boolean} [shift] With Shift.
 * @property {() => boolean} [when] Whether it does anything now.
 * @property {boolean} [untold] Another way to what the dialog lists already.
 */

/** @type {Map<string, Hotkey[]>} Sections by their titles, in the order of adding. */
const sections = new Map();

/**
 * Add keys.
 *
 * @param {string} title Of their section.
 * @param {Hotkey[]} keys
 * @returns {() => void} Takes them away.
 */
export function addKeys(title, keys) {
  sections.set(title, [...(sections.get(title) ?? []), ...keys]);
  return () => {
    const rest = (sections.get(title) ?? []).filter((one) => !keys.includes(one));
    if (rest.length) sections.set(title, rest);
    else sections.delete(title);
  };
}

/** Begin to listen; once a page. */
export function wireKeys() {
  addKeys(t("keys.everywhere"), [
    { key: "?", name: t("keys.title"), run: showKeys },
    { key: "Escape", name: t("keys.escape"), run: () => {}, when: () => false },
  ]);
  document.addEventListener("keydown", (event) => press(event, "run"));
  document.addEventListener("keyup", (event) => press(event, "release"));
  document.querySelectorAll("[data-do=keys]").forEach((button) =>
    button.addEventListener("click", showKeys)
  );
}

/** Show all keys of this page. */
function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  openPart(t("keys.title"), async () => {
    const { keyList } = await part(() => import("./key-list.js"));
    return { body: [keyList(sections)] };
  });
}

/**
 * @param {KeyboardEvent} event
 * @param {"run" | "release"} what
 */
function press(event, what) {
  if (event.isComposing || event.altKey || busy(event)) return;
  const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  for (const keys of sections.values()) {
    for (const one of keys) {
      const ctrl = event.ctrlKey || event.metaKey;
      if (one.key !== letter || Boolean(one.ctrl) !== ctrl) continue;
      if (one.shift !== undefined && one.shift !== event.shiftKey) continue;
      if (!one[what] || (one.when && !one.when())) continue;
      event.preventDefault();
      one[what]?.(event);
      return;
    }
  }
}

/**
 * Whether what is pressed belongs to a field or a dialog.
 *
 * @param {KeyboardEvent} event
 */
function busy(event) {
  if (document.querySelector("dialog[open]")) return true;
  const at = event.target;
  if (!(at instanceof HTMLElement)) return false;
  if (at.isContentEditable || at.matches("textarea, select")) return true;
  if (at instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(at.type);
  // Space and Enter press what has focus.
  return at.matches("button, a, summary") && [" ", "Enter"].includes(event.key);
}

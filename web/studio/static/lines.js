// @ts-check
/**
 * Lines below the header: what is so for the whole page, with its reason and its remedy.
 */

import { byId, el, icon, iconButton } from "./dom.js";
import { t } from "./words.js";

/** @type {Map<string, HTMLElement>} */
const lines = new Map();

/**
 * Show a line, or take it away.
 *
 * @param {string} name One line for each name.
 * @param {(string | Node)[] | null} content null: no line.
 * @param {{quiet?: boolean, onclose?: () => void}} [options] Quiet: a fact, not a fault.
 */
export function line(name, content, options = {}) {
  const words = content && el("p", { class: "grow" }, ...content);
  // The same line put there again would be read out again, and lose the focus.
  if (words && lines.get(name)?.querySelector("p")?.textContent === words.textContent) return;
  lines.get(name)?.remove();
  lines.delete(name);
  if (!words) return;
  const { quiet = false, onclose } = options;
  const made = el(
    "div",
    { class: quiet ? "line line--quiet" : "line", "data-line": name },
    icon(quiet ? "info" : "warn"),
    words,
    onclose && iconButton("close", t("close"), onclose),
  );
  lines.set(name, made);
  byId("lines", HTMLElement).append(made);
}

// @ts-check
/** All keys of the page, listed. */

import { el } from "./dom.js";

/** @typedef {import("./keys.js").Hotkey} Hotkey */

/** @type {Record<string, string>} */
const CAPS = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "␣", Escape: "Esc" };

/** @param {Map<string, Hotkey[]>} sections By their titles. */
export function keyList(sections) {
  return el("div", { class: "keylist" }, ...[...sections].map(section));
}

/**
 * The cap of a key, as it stands on a button.
 *
 * @param {Hotkey} hotkey
 */
function cap(hotkey) {
  const one = hotkey.shown ?? CAPS[hotkey.key] ?? hotkey.key;
  return el("kbd", {}, one.length === 1 ? one.toUpperCase() : one);
}

/**
 * @param {[string, Hotkey[]]} titled
 */
function section([title, keys]) {
  const rows = keys.filter((one) => !one.untold).map((one) =>
    el(
      "div",
      {},
      el("dt", {}, ...(one.ctrl ? [el("kbd", {}, "Ctrl"), " "] : []), cap(one)),
      el("dd", {}, one.name),
    )
  );
  return el("section", {}, el("h3", {}, title), el("dl", {}, ...rows));
}

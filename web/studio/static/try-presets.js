// @ts-check
/** Presets: prompts and what counts, under a name, kept by this browser. */

import { root } from "./api.js";
import { el, iconButton } from "./dom.js";
import { usual } from "./reading.js";
import { t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {{prompts: import("./prompts.js").Prompt[], reading: import("./reading.js").Reading, tiles?: "off" | "auto"}} Preset */

const KEY = `maskpool.presets${root}`;

/**
 * What their window holds.
 *
 * @param {Work} work
 * @param {() => void} close
 */
export function presetParts(work, close) {
  const name = el("input", { class: "input", id: "preset-name", maxlength: 80, autocomplete: "off", required: true });
  const list = el("ul", { class: "choices", "aria-label": t("presets.title") });
  const draw = () => list.replaceChildren(...rows(work, close, draw));
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    const key = name.value.trim();
    if (!key) return;
    write({ ...presets(), [key]: { prompts: work.prompts, reading: work.reading, tiles: work.tiles } });
    name.value = "";
    draw();
  };
  const form = el(
    "form",
    { class: "field", onsubmit: save },
    el("label", { for: "preset-name" }, t("presets.name")),
    el("div", { class: "row" }, name, el("button", { class: "btn", type: "submit", disabled: !work.prompts.length }, t("presets.save"))),
  );
  draw();
  return { body: [list, form] };
}

/**
 * @param {Work} work
 * @param {() => void} done
 * @param {() => void} draw
 */
function rows(work, done, draw) {
  const all = Object.entries(presets());
  if (!all.length) return [el("li", { class: "muted" }, t("presets.none"))];
  return all.map(([name, preset]) => {
    const use = () => {
      work.reading = { ...usual(), ...preset.reading };
      work.tiles = preset.tiles ?? "off";
      work.setPrompts(preset.prompts);
      done();
    };
    const what = preset.prompts.map((one) => one.name).join(", ");
    const drop = () => {
      const { [name]: _gone, ...rest } = presets();
      write(rest);
      draw();
    };
    const choice = { class: "choice", type: "button", onclick: use };
    return el(
      "li",
      {},
      el("button", choice, el("b", {}, name), el("small", { class: "trunc" }, what)),
      iconButton("trash", t("presets.remove", { name }), drop),
    );
  });
}

/** @returns {Record<string, Preset>} */
function presets() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {Record<string, Preset>} all */
function write(all) {
  localStorage.setItem(KEY, JSON.stringify(all));
}

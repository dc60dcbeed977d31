// @ts-check
/** One word of a list: shown, or with its English to be changed. */

import { el, icon, iconButton, onEnter, swap } from "./dom.js";
import { ago, t } from "./words.js";

/**
 * @typedef {{word: string, kind: "noun" | "colour" | "material", english: string, by: string,
 *   at: string | null, overruled: string | null}} Word
 * @typedef {object} Acts
 * @property {(word: Word, english: string) => Promise<boolean>} [change] Whether it is done.
 * @property {(word: Word) => void} [remove]
 * @property {(word: Word) => void} [overrule] Begin a word of the team's in its place.
 */

/**
 * @param {Word} word
 * @param {Acts} acts What may be done with it.
 * @param {string} [over] What is said before that which is sent instead.
 */
export function wordRow(word, acts, over = "") {
  const english = el("td", {});
  const act = el("td", { class: "acts-cell" });
  const row = el(
    "tr",
    {},
    el("td", {}, el("span", { class: "name", lang: "zh" }, word.word)),
    english,
    el("td", { class: "muted" }, t(`glossary.kind.${word.kind}`)),
    el("td", { class: "muted" }, word.at ? t("glossary.by_at", { name: word.by, ago: ago(word.at) }) : "–"),
    act,
  );
  const look = () => {
    const instead = word.overruled !== null &&
      el("small", { class: "over" }, over, " ", el("code", { lang: "en" }, word.overruled));
    swap(english, el("div", { class: "english" }, el("code", { lang: "en" }, word.english), instead));
    swap(act, ...buttons());
  };
  const buttons = () => {
    const { change, remove, overrule } = acts;
    const about = { word: word.word };
    return [
      change && iconButton("pen", t("glossary.change", about), type),
      remove && iconButton("trash", t("glossary.remove", about), () => remove(word)),
      overrule && iconButton("pen", t("glossary.overrule", about), () => overrule(word)),
    ];
  };
  const type = () => {
    const field = el("input", {
      ...{ class: "input", lang: "en", maxlength: 100, autocomplete: "off", autocapitalize: "none" },
      ...{ value: word.english, "aria-label": t("glossary.english_of", { word: word.word }) },
    });
    const leave = () => {
      look();
      act.querySelector("button")?.focus();
    };
    const save = async () => {
      if (await acts.change?.(word, field.value)) return;
      field.focus();
    };
    onEnter(field, save);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) leave();
    });
    const button = el("button", { class: "btn", type: "button", onclick: save }, t("glossary.save"));
    swap(english, el("div", { class: "english" }, field, button));
    swap(act, iconButton("close", t("glossary.leave"), leave));
    field.focus();
    field.select();
  };
  look();
  return row;
}

/** @param {string} name @param {string} sentence @param {Node | null} [act] */
export function emptyNote(name, sentence, act = null) {
  return [icon(name), el("p", {}, sentence), act];
}

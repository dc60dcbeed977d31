// @ts-check
/** "Try a phrase": what would be sent for it, or why it would be refused. */

import { explain, post } from "./api.js";
import { byId, el, icon, swap } from "./dom.js";
import { t } from "./words.js";

/** Milliseconds after the last key before it is asked. */
const SETTLE = 250;

const field = byId("phrase", HTMLInputElement), answer = byId("phrase-answer", HTMLElement);

/** Counts questions: the answer to an old one is thrown away. */
let asked = 0;

let timer = 0;

/** @type {() => string | null} */
let team = () => null;

/** @type {((word: string) => void) | null} */
let add = null;

/**
 * @param {() => string | null} whose Id of the team whose words count; null: the pool's alone.
 * @param {((word: string) => void) | null} wanted Called with a word that somebody wants to add; null: they may not.
 */
export function wirePhrase(whose, wanted) {
  [team, add] = [whose, wanted];
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(tryPhrase, SETTLE);
  });
  // What was typed, or kept by a reload, before this listened.
  if (field.value) tryPhrase();
}

/** Ask again, as words may have changed. */
export async function tryPhrase() {
  const now = ++asked;
  const text = field.value.trim();
  if (!text) {
    swap(answer, el("p", { class: "hint" }, t("glossary.phrase_what")));
    return;
  }
  try {
    const { texts: [found] } = await post("/api/v1/glossary/compose", { texts: [text], team: team() });
    if (now === asked) swap(answer, found.sent === null ? refusal(text, found.refused) : sent(found.sent));
  } catch (error) {
    if (now === asked) swap(answer, el("p", { class: "hint hint--bad" }, explain(error)));
  }
}

/** @param {string} english */
function sent(english) {
  return el("p", { class: "sent" }, icon("check"), t("glossary.sent"), el("code", { lang: "en" }, english));
}

/**
 * @param {string} text
 * @param {{code: string, params: Record<string, string>}} why
 */
function refusal(text, { code, params }) {
  const missing = code === "glossary.unknown" ? params.rest : "";
  const more = add && missing
    ? el("button", { class: "btn", type: "button", onclick: () => add?.(missing) }, icon("plus"), t("glossary.add_this", { word: missing }))
    : false;
  const words = t(`error.${code}`, { ...params, text });
  return el("div", { class: "note" }, icon("warn"), el("div", { class: "stack stack--s" }, el("p", {}, words), more && el("div", {}, more)));
}

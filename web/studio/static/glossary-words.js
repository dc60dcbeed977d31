// @ts-check
/** The glossary's page: words of the team, of the pool and of maskpool; tried, searched, changed. */

import { address, ApiError, explain } from "./api.js";
import { byId, el, show, swap } from "./dom.js";
import { failed, onSubmit, said } from "./forms.js";
import { followList } from "./glossary-follow.js";
import { wireImport, wrong } from "./glossary-import.js";
import { listsOf, pageOf, POOL, putWord, removeWord } from "./glossary-lists.js";
import { tryPhrase, wirePhrase } from "./glossary-phrase.js";
import { emptyNote, wordRow } from "./glossary-row.js";
import { addKeys } from "./keys.js";
import { setQuery } from "./query.js";
import { me, onBack } from "./shell.js";
import { t } from "./words.js";

/**
 * @import { Word } from "./glossary-row.js"
 * @import { List } from "./glossary-lists.js"
 */

/** Milliseconds after the last key before a search is asked for; words asked for at once, and at most. */
const SETTLE = 250, PAGE = 100, MOST = 1000;

const rows = byId("rows", HTMLElement), note = byId("list-note", HTMLElement);
const search = byId("search", HTMLInputElement), form = byId("add", HTMLFormElement);
const word = byId("word", HTMLInputElement), english = byId("english", HTMLInputElement);
const kind = byId("kind", HTMLSelectElement), more = byId("more", HTMLButtonElement);
const told = byId("said", HTMLElement);

/** @type {List[]} */
let lists = [];

/** Id of the team that somebody works for. @type {string | null} */
let team = null;

/** @type {string | null} */
let next = null;

/** Of the list as it is shown. */
let etag = "";

/** Counts questions: the answer to an old one is thrown away. */
let asked = 0;

/** The list that is shown; it stands in the address, so that a reload and a link keep it. */
function list() {
  const name = new URLSearchParams(location.search).get("list");
  return /** @type {List} */ (lists.find((one) => one.name === name) ?? lists[0]);
}

/** The list into which words come from here: the one that is shown, or the team's. */
function target() {
  return list().may ? list() : lists.find((one) => one.name === team && one.may);
}

/** @param {Record<string, string>} some Empty: as usual. */
function choose(some) {
  setQuery(some);
  // Not before it is known whose words there are.
  if (lists.length) begun();
  // The words of another team may count.
  if ("list" in some) tryPhrase();
}

/** What is asked of the list that is shown. */
function question() {
  const { path, query } = list();
  return { path, query: { ...query, ...("source" in query ? { team } : {}), q: search.value.trim() || null } };
}

/** Show the list from its beginning. */
function begun() {
  swap(rows);
  return load();
}

/** Show the list anew. */
async function load() {
  const now = ++asked;
  const { may, what, path } = list();
  if (path !== POOL) team = list().name;
  swap(byId("list-what", HTMLElement), what, " ", may ? "" : t("glossary.read_only"));
  show(form, may);
  show(byId("import", HTMLElement), may);
  const out = byId("export", HTMLAnchorElement);
  out.href = address(`${path}/csv`);
  show(out, list().name !== "shipped");
  try {
    // As many as are seen: who changes a word far down stays there.
    const found = await pageOf(question(), null, Math.min(Math.max(PAGE, rows.children.length), MOST));
    if (now !== asked) return;
    etag = found.etag;
    swap(rows, ...found.words.map(draw));
    turnOver(found.next);
    say();
  } catch (error) {
    if (now !== asked) return;
    swap(rows);
    turnOver(null);
    show(byId("head", HTMLElement), false);
    swap(note, ...emptyNote("warn", explain(error), el("button", { class: "btn", type: "button", onclick: load }, t("glossary.again"))));
    show(note, true);
  }
}

/** @param {string | null} after */
function turnOver(after) {
  next = after;
  show(byId("foot", HTMLElement), next !== null);
}

/** Say why there is nothing to see. */
function say() {
  const some = rows.children.length > 0;
  show(note, !some);
  show(byId("head", HTMLElement), some);
  if (some) return;
  if (search.value.trim()) {
    const clear = el("button", { class: "btn", type: "button", onclick: forget }, t("glossary.clear"));
    swap(note, ...emptyNote("search", t("glossary.none_found"), clear));
  } else {
    swap(note, ...emptyNote("globe", list().may ? t("glossary.none_yet") : t("glossary.none_here")));
  }
}

function forget() {
  search.value = "";
  choose({ q: "" });
  search.focus();
}

/** @param {Word} one */
function draw(one) {
  if (list().may) return wordRow(one, { change: (of, text) => change(of, text), remove: takeOut });
  // What lies over a word of the pool's is the team's; over maskpool's it may be the pool's.
  const over = t(list().name === "pool" ? "glossary.yours_wins" : "glossary.instead");
  return wordRow(one, target() ? { overrule: begin } : {}, over);
}

/**
 * Begin a word in the form, in the list that takes words.
 *
 * @param {Partial<Word> & {word: string}} one
 */
function begin(one) {
  const into = target();
  if (!into) return;
  if (into !== list()) {
    choose({ list: into.name });
    mark();
  }
  word.value = one.word;
  english.value = one.english ?? "";
  kind.value = one.kind ?? "noun";
  english.focus();
  english.select();
}

/**
 * @param {Pick<Word, "word" | "kind">} one
 * @param {string} text
 * @param {boolean} [stay] Whether the focus stays where it is.
 * @returns {Promise<boolean>} Whether it is done.
 */
async function change({ word: name, kind: of }, text, stay = false) {
  const { path } = list();
  try {
    const { before } = await putWord(path, name, of, text);
    const undo = before === null ? () => removeWord(path, name, of) : () => putWord(path, name, of, before);
    const sentence = before === null ? "glossary.added" : "glossary.changed";
    tell(t(sentence, { word: name, english: text, before }), undo, stay);
    again();
    return true;
  } catch (error) {
    refuse(error);
    return false;
  }
}

/** @param {Word} one */
async function takeOut({ word: name, kind: of }) {
  const { path } = list();
  try {
    // What was there stands in the answer: the row may be of before somebody else's change.
    const { before } = await removeWord(path, name, of);
    tell(t("glossary.removed", { word: name }), () => putWord(path, name, of, before), false);
    again();
  } catch (error) {
    refuse(error);
  }
}

function again() {
  tryPhrase();
  return load();
}

/**
 * Say what was done, with a button that takes it back.
 *
 * @param {string} sentence
 * @param {() => Promise<unknown>} undo
 * @param {boolean} stay Whether the focus stays where it is: else what had it is gone.
 */
function tell(sentence, undo, stay) {
  said(told, sentence);
  const back = async () => {
    try {
      await undo();
      said(told, t("glossary.undone"));
      told.focus({ preventScroll: true });
      again();
    } catch (error) {
      refuse(error);
    }
  };
  const button = el("button", { class: "btn", type: "button", onclick: back }, t("glossary.undo"));
  told.querySelector("p")?.classList.add("grow");
  told.append(button);
  if (!stay) button.focus({ preventScroll: true });
}

/** @param {unknown} error */
function refuse(error) {
  const why = error instanceof ApiError && error.code === "spec.refused" ? error.params : {};
  failed(told, why.why ? wrong(why.field, why.why, why.reason) : error);
}

/** Let the controls show what is chosen. */
function mark() {
  const radio = (/** @type {List} */ one) => {
    const chosen = { type: "radio", name: "list", value: one.name, checked: one === list() };
    const input = el("input", { ...chosen, onchange: () => choose({ list: one.name }) });
    return el("label", {}, input, el("span", {}, one.label));
  };
  swap(byId("lists", HTMLElement), ...lists.map(radio));
}

async function start() {
  // Before anything is waited for: what somebody types meanwhile stays.
  search.value = new URLSearchParams(location.search).get("q") ?? "";
  const who = await me;
  lists = listsOf(who);
  team = who.teams[0]?.id ?? null;
  mark();
  wirePhrase(() => team, target() ? (missing) => begin({ word: missing }) : null);
  const may = () => {
    if (!list().may) failed(told, t("glossary.read_only"));
    return list().may;
  };
  wireImport(() => list().path, may, again);
  await load();
  followList(rows, () => ({ ...question(), etag }), again);
}

onSubmit(form, async () => {
  const one = { word: word.value.trim(), kind: /** @type {Word["kind"]} */ (kind.value) };
  if (!one.word || !english.value.trim()) {
    failed(told, t("glossary.needs"));
    (one.word ? english : word).focus();
    return;
  }
  if (!(await change(one, english.value.trim(), true))) return;
  word.value = english.value = "";
  word.focus();
});
let timer = 0;
search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => choose({ q: search.value.trim() }), SETTLE);
});
more.addEventListener("click", async () => {
  more.disabled = true;
  const now = asked;
  try {
    const found = await pageOf(question(), next, PAGE);
    if (now === asked) {
      rows.append(...found.words.map(draw));
      turnOver(found.next);
    }
  } catch (error) {
    refuse(error);
  }
  more.disabled = false;
});
addKeys(t("title.glossary-words"), [
  { key: "/", name: t("glossary.search"), run: () => search.focus() },
  { key: "n", name: t("glossary.new"), run: () => word.focus(), when: () => !form.hidden },
]);
start().catch((error) => swap(note, ...emptyNote("warn", explain(error))));
// A word that somebody is changing stays as they typed it.
onBack(() => {
  if (lists.length && !rows.querySelector("input")) again();
});

// @ts-check
/** Words of a CSV file: dropped or picked, shown before they are taken in as a whole, and undone. */

import { ApiError, ask, explain, newKey, post } from "./api.js";
import { byId, el, icon, show, swap } from "./dom.js";
import { failed, said } from "./forms.js";
import { known, t } from "./words.js";

/**
 * @typedef {{line: number, field: string, why: string, reason: string}} Line A refused one.
 * @typedef {{word: string, before: string | null, english: string}} New
 * @typedef {object} Would What a file would make of a list.
 * @property {number} version
 * @property {number} words
 * @property {number} added
 * @property {number} changed
 * @property {number} same
 * @property {number} refused
 * @property {New[]} first
 * @property {Line[]} lines
 */

const CSV = { "Content-Type": "text/csv" };

/** Bytes that the server takes. */
const MOST = 4 * 1024 * 1024;

const note = byId("import-note", HTMLElement), list = byId("refused", HTMLElement);
const preview = byId("preview", HTMLElement);

/** One file at a time. */
let busy = false;

/**
 * @param {() => string} path Of the list that takes the words.
 * @param {() => boolean} may Whether they may be put there.
 * @param {() => void} onchange Words came.
 */
export function wireImport(path, may, onchange) {
  const field = byId("file", HTMLInputElement), drop = byId("drop", HTMLElement);
  const take = (/** @type {File[]} */ files) => {
    if (files.length && may()) bring(files, path(), onchange);
  };
  byId("pick", HTMLElement).addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    take([...(field.files ?? [])]);
    field.value = "";
  });
  // Files that miss the field would else leave the page.
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("is-over");
  });
  document.addEventListener("drop", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    drop.classList.remove("is-over");
    take([...(event.dataTransfer?.files ?? [])]);
  });
}

/**
 * @param {File[]} files
 * @param {string} path
 * @param {() => void} onchange
 */
async function bring(files, path, onchange) {
  const [file] = files;
  if (busy || !file) return;
  leave();
  if (files.length > 1) return failed(note, t("glossary.one_file"));
  if (file.size > MOST) return failed(note, t("glossary.file.bytes"));
  await look(file, path, onchange);
}

/** Put away what was shown of a file. */
function leave() {
  show(list, false);
  show(preview, false);
  show(note, false);
}

/**
 * Show what a file would make of the list; nothing is written.
 *
 * @param {File} file
 * @param {string} path
 * @param {() => void} onchange
 */
async function look(file, path, onchange) {
  await alone(async () => {
    said(note, t("glossary.importing", { name: file.name }));
    const answer = await ask("POST", `${path}/csv`, { query: { dry_run: true }, body: file, headers: CSV });
    const etag = answer.headers.get("etag") ?? "";
    /** @type {Would} */
    const would = await answer.json();
    show(note, false);
    if (would.refused) refuseLines(would.refused, would.lines);
    if (!would.refused && !would.added && !would.changed) return said(note, t("glossary.nothing_new", { name: file.name, count: would.words }));
    const take = () => takeIn(file, path, { version: would.version, etag }, onchange);
    drawPreview(file.name, would, take);
  });
}

/** One thing at a time; why it failed is said. @param {() => Promise<void>} work */
async function alone(work) {
  if (busy) return;
  busy = true;
  await work().catch(refuse);
  busy = false;
}

/**
 * @param {string} name
 * @param {Would} would
 * @param {() => void} take
 */
function drawPreview(name, would, take) {
  const { first, added, changed, same, refused } = would;
  const lines = first.map(({ word, before, english }) =>
    el(
      "li",
      {},
      el("b", { lang: "zh" }, word),
      el("span", {}, before === null ? el("small", { class: "muted" }, t("glossary.is_new")) : el("del", { lang: "en" }, before), " ", el("ins", { lang: "en" }, english)),
    )
  );
  const more = added + changed - first.length;
  const yes = el("button", { class: "btn btn--primary", type: "button", onclick: take }, icon("check"), t("glossary.take_in"));
  const no = el("button", { class: "btn", type: "button", onclick: leave }, t("glossary.leave"));
  swap(
    preview,
    el("p", { id: "preview-what" }, t("glossary.preview", { name, added, changed, same })),
    el("ol", { class: "refused would", "aria-labelledby": "preview-what" }, ...lines, more > 0 && el("li", {}, el("span"), t("glossary.more_words", { count: more }))),
    refused ? false : el("div", { class: "row" }, yes, no),
  );
  show(preview, true);
  if (!refused) yes.focus();
}

/**
 * @param {File} file
 * @param {string} path
 * @param {{version: number, etag: string}} seen What the list was when the file was looked at.
 * @param {() => void} onchange
 */
async function takeIn(file, path, seen, onchange) {
  let late = false;
  await alone(async () => {
    try {
      const answer = await ask("POST", `${path}/csv`, { body: file, headers: { ...CSV, "If-Match": seen.etag }, key: newKey() });
      const { words, added, changed } = await answer.json();
      leave();
      said(note, t("glossary.imported", { name: file.name, count: words, added, changed }));
      offerUndo(path, seen.version, answer.headers.get("etag") ?? "", onchange);
      onchange();
    } catch (error) {
      if (!isStale(error)) throw error;
      late = true;
    }
  });
  // Somebody changed the list since: what is shown is of before.
  if (late) await look(file, path, onchange);
}

/**
 * @param {string} path
 * @param {number} version What the list was before.
 * @param {string} etag What it is now: a later change of somebody else's is not undone, too.
 * @param {() => void} onchange
 */
function offerUndo(path, version, etag, onchange) {
  const back = () =>
    alone(async () => {
      try {
        await post(`${path}/revert`, { version }, { headers: { "If-Match": etag } });
        said(note, t("glossary.undone"));
      } catch (error) {
        if (!isStale(error)) throw error;
        failed(note, t("glossary.undo_late"));
      }
      onchange();
    });
  const button = el("button", { class: "btn", type: "button", onclick: back }, t("glossary.undo"));
  note.querySelector("p")?.classList.add("grow");
  note.append(button);
  button.focus();
}

/** @param {unknown} error */
const isStale = (error) => error instanceof ApiError && error.code === "stale";

/** @param {unknown} error */
function refuse(error) {
  if (!(error instanceof ApiError) || !error.code.startsWith("glossary_file.")) return failed(note, explain(error));
  const { line, lines, count: all } = error.params;
  if (error.code === "glossary_file.lines") return refuseLines(all, lines);
  failed(note, t(`glossary.file.${error.code.split(".")[1]}`, { line, count: all }));
}

/** @param {number} all @param {Line[]} lines The first of them. */
function refuseLines(all, lines) {
  failed(note, t("glossary.file.lines", { count: all }));
  const more = all - lines.length;
  swap(list, ...lines.map(row), more > 0 && el("li", {}, el("span"), t("glossary.more_lines", { count: more })));
  show(list, lines.length > 0);
}

/** @param {Line} one */
function row({ line, field, why, reason }) {
  return el("li", {}, el("b", {}, t("glossary.line", { line })), el("span", {}, wrong(field, why, reason)));
}

/**
 * Why a word is refused, in the page's language.
 *
 * @param {string} field
 * @param {string} why
 * @param {string} reason In English.
 */
export function wrong(field, why, reason) {
  const key = `glossary.wrong.${why}`;
  const told = known(key, { reason }) ? t(key, { reason }) : reason;
  return field ? t("what_of", { what: t(`glossary.${field}`), about: told }) : told;
}

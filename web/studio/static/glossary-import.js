// @ts-check
/** Words of a CSV file: dropped or picked, taken in as a whole, or refused line by line. */

import { ApiError, explain, newKey, post } from "./api.js";
import { byId, el, show, swap } from "./dom.js";
import { failed, said } from "./forms.js";
import { known, t } from "./words.js";

/** Bytes that the server takes. */
const MOST = 4 * 1024 * 1024;

const note = byId("import-note", HTMLElement), list = byId("refused", HTMLElement);

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
  show(list, false);
  if (files.length > 1) return failed(note, t("glossary.one_file"));
  if (file.size > MOST) return failed(note, t("glossary.file.bytes"));
  busy = true;
  try {
    said(note, t("glossary.importing", { name: file.name }));
    const headers = { "Content-Type": "text/csv" };
    const done = await post(`${path}/csv`, file, { headers, key: newKey() });
    said(note, t("glossary.imported", { name: file.name, count: done.words, added: done.added, changed: done.changed }));
    onchange();
  } catch (error) {
    refuse(error);
  }
  busy = false;
}

/** @param {unknown} error */
function refuse(error) {
  if (!(error instanceof ApiError) || !error.code.startsWith("glossary_file.")) return failed(note, explain(error));
  const { line, lines, count: all } = error.params;
  failed(note, t(`glossary.file.${error.code.split(".")[1]}`, { line, count: all }));
  const more = all - lines.length;
  swap(list, ...lines.map(row), more > 0 && el("li", {}, el("span"), t("glossary.more_lines", { count: more })));
  show(list, lines.length > 0);
}

/** @param {{line: number, field: string, why: string, reason: string}} one */
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
  const told = known(key) ? t(key, { reason }) : reason;
  return field ? t("what_of", { what: t(`glossary.${field}`), about: told }) : told;
}

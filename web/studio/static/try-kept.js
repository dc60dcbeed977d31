// @ts-check
/**
 * What a reload must not lose: prompts, reading, pictures, corrections and what is half typed.
 *
 * Each tab keeps its own; a new tab begins with the prompts and the reading of the last one.
 */

import { root } from "./api.js";
import { byId, on } from "./dom.js";
import { usual } from "./reading.js";
import { Undo } from "./undo.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./work.js").Edit} Edit */

const KEY = `maskpool.try${root}`;

/** Milliseconds of quiet after which a change is written. */
const QUIET = 150;

/**
 * @typedef {object} Kept
 * @property {import("./prompts.js").Prompt[]} prompts
 * @property {import("./reading.js").Reading} reading
 * @property {"off" | "auto"} tiles
 * @property {string} readingFor
 * @property {string} typed
 * @property {number} at
 * @property {{name: string, origin: import("./work.js").Origin, edits: Edit[],
 *   answer: {key: string, link: string, prompts: {name: string, text: string}[]} | null}[]} pictures
 */

/**
 * Bring back what was kept.
 *
 * @param {Work} work
 * @returns {Kept["pictures"]} The pictures, whose answers must be asked for again.
 */
export function restore(work) {
  const kept = read(sessionStorage) ?? read(localStorage);
  if (!kept) return [];
  work.prompts = kept.prompts ?? [];
  work.reading = { ...usual(), ...kept.reading };
  work.tiles = kept.tiles ?? "off";
  work.readingFor = work.prompts.some((one) => one.name === kept.readingFor) ? (kept.readingFor ?? "") : "";
  byId("add", HTMLInputElement).value = kept.typed ?? "";
  const pictures = kept.pictures ?? [];
  work.pictures = pictures.map(({ name, origin, edits }) => ({
    name,
    origin,
    blob: null,
    answer: null,
    // What had no answer is asked again once its picture is there; numbers of questions begin anew.
    edits: new Undo(/** @type {Edit[]} */ ((edits ?? []).map((one) => ({ ...one, waits: one.waits ? -1 : 0, missed: false })))),
  }));
  work.at = Math.min(kept.at ?? 0, Math.max(0, pictures.length - 1));
  return pictures;
}

/** Whether somebody was here before, and what counts is theirs to keep. */
export function hasReading() {
  return Boolean((read(sessionStorage) ?? read(localStorage))?.reading);
}

/** Keep whatever changes. @param {Work} work */
export function keep(work) {
  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => write(work), QUIET);
  };
  for (const topic of /** @type {import("./work.js").Topic[]} */ (["pictures", "prompts", "reading", "items"])) {
    work.on(topic, soon);
  }
  on(byId("add", HTMLInputElement), "input", soon);
  on(window, "pagehide", () => write(work));
}

/** @param {Work} work */
function write(work) {
  const { prompts, reading, tiles, readingFor, at } = work;
  const typed = byId("add", HTMLInputElement).value;
  const pictures = work.pictures.flatMap(({ name, origin, answer, edits }) => {
    if (!origin) return [];
    const told = answer && { key: answer.key, link: answer.link, prompts: answer.prompts };
    return [{ name, origin, answer: told, edits: edits.now.filter((one) => one.found || one.gone || one.waits) }];
  });
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ prompts, reading, tiles, readingFor, typed, at, pictures }));
    localStorage.setItem(KEY, JSON.stringify({ prompts, reading, tiles }));
  } catch {
    // Full, or forbidden: the page works, and a reload begins anew.
  }
}

/**
 * @param {Storage} storage
 * @returns {Partial<Kept> | null}
 */
function read(storage) {
  try {
    return JSON.parse(storage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

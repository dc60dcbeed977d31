// @ts-check
/** From a sample to the whole: the same pictures and prompts, with what counts as it was left there. */

import { ApiError, get } from "./api.js";
import { byId, swap } from "./dom.js";
import { newDraft, readSampled } from "./new-batch-draft.js";
import { readSpec } from "./spec-form.js";
import { t } from "./words.js";

/**
 * @import { Batch } from "./batch-parts.js"
 * @import { CarriedWhole } from "./carry.js"
 * @import { Draft } from "./new-batch-draft.js"
 * @import { Place } from "./places-form.js"
 *
 * @typedef {object} Whole
 * @property {Draft} draft
 * @property {string} name Of the sample.
 * @property {boolean} lost Its upload is gone, or somebody else's.
 * @property {string[]} places As `s3://bucket/prefix`.
 */

/** Where the upload that the form goes on with is kept; `source-form.js` reads it. */
const UPLOAD = "maskpool.upload";

/**
 * Whether its pictures can be named again from here.
 *
 * @param {Batch} batch
 */
export function canBeWhole(batch) {
  const found = parts(batch.source), uploads = found.filter((one) => one.startsWith("upload:"));
  // A manifest, which stands behind a slash, is not in the form any more.
  if (uploads.some((one) => one.includes("/"))) return false;
  // The form takes one upload, or places.
  const isOne = found.length === 1 && uploads.length === 1;
  return Boolean(readSampled(batch.id)) || isOne || found.every((one) => one.startsWith("s3://"));
}

/** @param {string} source As a batch keeps it. */
function parts(source) {
  return source.split(/, (?=upload:|s3:\/\/)/);
}

/**
 * @param {CarriedWhole} carried
 * @returns {Promise<Whole>}
 */
export async function readWhole({ whole, reading }) {
  const batch = await get(`/api/v1/batches/${whole}`);
  const known = readSampled(whole);
  const found = parts(batch.source);
  const uploads = found.filter((one) => one.startsWith("upload:")).map((one) => one.slice("upload:".length));
  const places = found.filter((one) => one.startsWith("s3://"));
  const draft = {
    ...newDraft(),
    source: /** @type {Draft["source"]} */ (uploads.length ? "upload" : "places"),
    name: batch.name.endsWith(suffix()) ? batch.name.slice(0, -suffix().length) : "",
    priority: batch.priority,
    team: batch.team ?? "",
    ...known,
    asked: readSpec(batch.spec, reading),
    sampled: whole,
  };
  const along = (known?.brought ?? []).map((one) => one.upload);
  const upload = uploads.find((one) => !along.includes(one));
  const there = await Promise.all(uploads.map(isThere));
  const lost = there.includes(false);
  if (upload && !lost) localStorage.setItem(UPLOAD, upload);
  return { draft, name: batch.name, lost, places };
}

/** @param {string} upload */
function isThere(upload) {
  return get(`/api/v1/uploads/${upload}`).then(() => true, (error) => {
    if (error instanceof ApiError && [403, 404].includes(error.status)) return false;
    throw error;
  });
}

/**
 * Say that the form holds the whole of a sample.
 *
 * @param {string} name Of a sample.
 * @param {boolean} lost Its pictures are not to be had from here.
 */
export function sayWhole(name, lost) {
  const box = byId("whole-of", HTMLElement);
  box.classList.toggle("hint--bad", lost);
  swap(box, t(lost ? "sample.no_pictures" : "sample.whole_of", { name }));
}

/** What the name of a sample ends in. */
export function suffix() {
  return t("sample.suffix");
}

/**
 * Places of a sample as the form chooses them; null where one is none of this person's.
 *
 * @param {string[]} places As `s3://bucket/prefix`.
 * @param {Place[]} granted
 * @returns {import("./places-form.js").ChosenPlace[] | null}
 */
export function chosenOf(places, granted) {
  const found = places.map((one) => {
    const within = granted.filter(({ kind, place }) => kind === "bucket" && one.startsWith(`s3://${place}`));
    const [best] = within.sort((one, other) => other.place.length - one.place.length);
    return best ? { place: best.place, below: one.slice(`s3://${best.place}`.length) } : null;
  });
  return found.every((one) => one !== null) ? found : null;
}

// @ts-check
/** Takes prompts, what counts and the pictures of the strip along to a new batch. */

import { address } from "./api.js";
import { carry } from "./carry.js";
import { versionOf } from "./glossary.js";
import { questionOf } from "./prompts.js";

/**
 * @typedef {import("./carry.js").CarriedPicture} CarriedPicture
 * @typedef {import("./work.js").Picture} Picture
 * @typedef {import("./work.js").Work} Work
 */

/**
 * Carry all over, and go there. What of the strip is not in the pool yet is sent there first.
 *
 * @param {Work} work
 * @param {import("./try-pictures.js").Pictures} pictures
 */
export async function useForBatch(work, pictures) {
  const { picture } = work;
  /** @type {{of: Picture, from: CarriedPicture}[]} */
  const along = [];
  for (const one of work.pictures) {
    const origin = await pictures.brought(one);
    // What was picked out of a batch lies there, and an upload has no such file.
    if ("upload" in origin) along.push({ of: one, from: origin });
  }
  carry({
    ...questionOf(work),
    glossary: versionOf(work.prompts),
    reading: work.reading,
    pictures: along.map(({ from }) => from),
    at: along.findIndex(({ of }) => of === picture),
    left: work.pictures.length - along.length,
  });
  location.assign(address("/batches/new"));
}

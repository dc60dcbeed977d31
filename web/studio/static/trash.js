// @ts-check
/** Batches that were deleted within the last day, to be restored. */

import { explain, get, post } from "./api.js";
import { el, icon, swap } from "./dom.js";
import { ago, t } from "./words.js";

/** @param {HTMLElement} box */
export async function openTrash(box) {
  void [get, post, el, icon, swap, explain, ago, t];
  void box;
}

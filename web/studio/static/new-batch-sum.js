// @ts-check
/** What a form for a new batch comes to: its source, how many pictures, what waits before them. */

import { byId, el } from "./dom.js";
import { addresses } from "./source-form.js";
import { count, duration, t } from "./words.js";

/**
 * @import { Draft } from "./new-batch-draft.js"
 * @import { PoolState } from "./shell.js"
 * @import { UploadQueue } from "./upload-queue.js"
 */

/**
 * The source as the API takes it; null where there is none yet.
 *
 * @param {Draft} draft
 * @param {UploadQueue | null} queue
 */
export function sourceAsked(draft, queue) {
  if (draft.source === "upload") {
    if (queue?.manifest) return { manifest: { upload: queue.id, file: queue.manifest } };
    const uploads = [...(queue?.images ? [queue.id] : []), ...draft.brought.map((one) => one.upload)];
    return uploads.length ? { uploads } : null;
  }
  if (draft.source === "places") {
    const places = draft.places.map(({ place, below }) => `s3://${place}${below.replace(/^\/+/, "")}`);
    return places.length ? { places } : null;
  }
  const images = addresses(draft.list);
  return images.length ? { images } : null;
}

/**
 * Pictures as far as they can be counted before the batch is made; null: not at all.
 *
 * @param {Draft} draft
 * @param {UploadQueue | null} queue
 */
export function picturesIn(draft, queue) {
  if (draft.source === "upload") return queue?.manifest ? null : (queue?.images ?? 0) + draft.brought.length;
  return draft.source === "list" ? addresses(draft.list).length : null;
}

/**
 * Draw what stands beside the form.
 *
 * @param {Draft} draft
 * @param {number | null} images
 * @param {PoolState | null} pool
 */
export function drawSum(draft, images, pool) {
  const speed = pool?.workers.reduce((all, one) => all + (one.images_per_s ?? 0), 0) ?? 0;
  const ahead = pool?.queue.filter((one) => one.class === draft.klass) ?? [];
  const waiting = ahead.reduce((all, one) => all + one.images, 0);
  const rows = [
    ["sum.pictures", images === null ? t("sum.unknown") : count(images)],
    ["sum.prompts", count(draft.asked.prompts.length)],
    ["sum.ahead", t("images", { count: waiting })],
    ...(speed && images ? [["sum.takes", t("sum.about", { time: duration(Math.max(1, images / speed)) })]] : []),
  ];
  byId("sum", HTMLElement).replaceChildren(
    ...rows.flatMap(([key, value]) => [el("dt", {}, t(String(key))), el("dd", {}, value)]),
  );
}

// @ts-check
/** Sends what a form for a new batch asks, and waits for what the clerk makes. */

import { ApiError, get, post } from "./api.js";
import { toSpec } from "./spec-form.js";

/** @import { Draft } from "./new-batch-draft.js" */

/** Milliseconds between two looks at what the clerk does. */
const LOOK = 700;

/**
 * Make the batch; with the same key as long as nothing was changed.
 *
 * @param {Draft} draft
 * @param {object} how
 * @param {object} how.source As the API takes it.
 * @param {string} how.name
 * @param {number | null} how.sample Pictures of a sample; null: all.
 * @param {(count: number) => void} how.onwait The clerk makes it: so many pictures so far.
 * @returns {Promise<string>} Its id.
 */
export async function send({ asked, priority, klass, team, key }, { source, name, sample, onwait }) {
  const which = sample === null ? {} : { sample: { images: sample } };
  const body = { spec: toSpec(asked), source, name, priority, class: klass, ...(team ? { team } : {}), ...(asked.glossary ? { glossary: asked.glossary } : {}), ...which };
  const made = await post("/api/v1/batches", body, { key: sample === null ? key : `${key}-sample` });
  return made.id ?? await loaded(made.task, onwait);
}

/**
 * Wait until the clerk made a large batch; the answer is its id.
 *
 * @param {string} task
 * @param {(count: number) => void} onwait
 * @returns {Promise<string>}
 */
async function loaded(task, onwait) {
  for (;;) {
    const found = await get(`/api/v1/tasks/${task}`);
    onwait(found.progress?.done ?? found.progress?.images ?? 0);
    if (found.state === "done") return found.batch ?? found.result?.batch;
    if (found.state === "failed" || found.state === "cancelled") {
      throw new ApiError(422, "refused", found.error ?? found.state);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

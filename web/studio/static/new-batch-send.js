// @ts-check
/** Sends what a form for a new batch asks, and waits for what the clerk makes. */

import { get, post } from "./api.js";
import { toSpec } from "./spec-form.js";
import { putOff, refusalOfTask } from "./task-refusal.js";

/**
 * @import { Draft } from "./new-batch-draft.js"
 * @import { ApiError } from "./api.js"
 *
 * @typedef {(count: number, away: ApiError | null) => void} OnWait So many pictures so far, and
 *   what keeps the clerk from it.
 */

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
 * @param {OnWait} how.onwait The clerk makes it.
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
 * @param {OnWait} onwait
 * @returns {Promise<string>}
 */
async function loaded(task, onwait) {
  for (;;) {
    const found = await get(`/api/v1/tasks/${task}`);
    onwait(found.progress?.done ?? found.progress?.images ?? 0, putOff(found));
    if (found.state === "done") return found.batch ?? found.result?.batch;
    if (found.state === "failed" || found.state === "cancelled") throw refusalOfTask(found);
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

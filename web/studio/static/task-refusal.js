// @ts-check
/** Why a task of the clerk failed, was given up, or is put off: as an answer would say it. */

import { ApiError } from "./api.js";

/**
 * @typedef {{state: string, error?: string | null,
 *   problem?: {code: string, detail: string, params: Record<string, unknown>} | null}} Told
 */

/**
 * A task that ended without a result as an error; `explain` says it in the page's language. A row of
 * an earlier version has its sentence alone.
 *
 * @param {Told} task
 */
export function refusalOfTask({ state, error, problem }) {
  if (state === "cancelled") return new ApiError(422, "task.cancelled", state);
  if (problem) return new ApiError(422, problem.code, problem.detail, problem.params);
  return new ApiError(422, "task.failed", error ?? state);
}

/**
 * What keeps a clerk from a task that it had already; null where nothing is wrong. Only what is away
 * puts a task off, and it is tried again by itself.
 *
 * @param {Told} task
 */
export function putOff({ state, error, problem }) {
  if (state !== "waiting" || !error) return null;
  return new ApiError(503, "task.away", error, problem?.params);
}

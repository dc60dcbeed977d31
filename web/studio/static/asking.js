// @ts-check
/** Ask a model about one picture, wait for it, and say what it waits for. */

import { get, post } from "./api.js";

/** Seconds that one request waits for an answer. */
const PATIENCE = 20;

/** How masks come: as runs, for the picture that is shown, also what does not count. */
const HOW = { masks: "rle", which: "stored", scale: "view" };

/**
 * What the model thought of a prompt; null for answers of before that was kept.
 *
 * @typedef {object} Scores
 * @property {number | null} presence How likely there is any of it.
 * @property {number | null} best Score of the best candidate, stored or not.
 */

/**
 * How a picture was looked at where tiles were asked for.
 *
 * @typedef {object} Tiled
 * @property {"asked" | "large" | "small" | "regions"} why
 * @property {number} side Of a tile, pixels.
 * @property {number} count Beside the whole; 0: it was not cut.
 * @property {number} left_out Masks beyond those that are kept of a prompt.
 */

/**
 * @typedef {object} Told
 * @property {string} link Of the prediction, under the server's prefix.
 * @property {import("./items.js").Instance[]} instances
 * @property {number} width Of the picture itself, pixels.
 * @property {number} height
 * @property {Scores[]} scores Of the prompts, in their order; empty where they are not known.
 * @property {Tiled | null} tiles
 * @property {{unseen: {changed: boolean, sentence: string} | null} | null} refined What became of them with `refine`.
 * @property {number} ms From the question to the answer.
 */

/**
 * @param {Record<string, unknown>} question As `POST /api/v1/predict` takes it.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Told>}
 */
export async function predict(question, signal) {
  const began = performance.now();
  const options = signal ? { signal } : {};
  const first = await post("/api/v1/predict", question, { query: { ...HOW, wait: PATIENCE }, ...options });
  return told(await ended(first, signal), performance.now() - began);
}

/**
 * What an earlier question found.
 *
 * @param {string} id Of the prediction.
 * @param {Record<string, string>} [how]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Told>}
 */
export async function again(id, how = HOW, signal) {
  const path = `/api/v1/predictions/${encodeURIComponent(id)}`;
  const options = signal ? { signal } : {};
  const first = await get(path, { query: { ...how, wait: PATIENCE }, ...options });
  return told(await ended(first, signal, how), 0);
}

/**
 * @param {any} answer
 * @param {AbortSignal | undefined} signal
 * @param {Record<string, string>} [how]
 */
async function ended(answer, signal, how = HOW) {
  let now = answer;
  while (now.state === "waiting") {
    const path = `/api/v1/predictions/${encodeURIComponent(now.id)}`;
    now = await get(path, { query: { ...how, wait: PATIENCE }, ...(signal ? { signal } : {}) });
  }
  return now;
}

/**
 * @param {any} answer
 * @param {number} ms
 * @returns {Told}
 */
function told({ id, result }, ms) {
  const { instances, width, height, prompts = [], tiles = null, refined = null } = result;
  const scores = prompts.map((/** @type {Scores} */ { presence, best }) => ({ presence, best }));
  return { link: id, instances, width, height, scores, tiles, refined, ms };
}

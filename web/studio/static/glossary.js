// @ts-check
/** Texts in Chinese, which are sent in English by the pool's glossary. */

import { ApiError, post } from "./api.js";

/** @typedef {{name: string, text: string, not: string[]}} Read */

/** @param {string} text */
export function hasChinese(text) {
  return /\p{Script=Han}/u.test(text);
}

/** Whether any text of a prompt must be composed before it is sent. @param {Read} read */
export function mustCompose({ text, not }) {
  return [text, ...not].some(hasChinese);
}

/**
 * A prompt as it is sent: its texts in English, its name as it was typed.
 *
 * @template {Read} T
 * @param {T} read
 * @param {string} team Whose words count beside the pool's; empty: of none.
 * @returns {Promise<T & {said: Record<string, string>, glossary: string}>} `said`: what was typed, by
 *   what is sent for it; `glossary`: the version of the words.
 * @throws {ApiError} A text has not exactly one reading, with its code and, as `text`, the text itself.
 */
export async function composed(read, team) {
  const typed = [...new Set([read.text, ...read.not].filter(hasChinese))];
  const { texts, glossary } = await post("/api/v1/glossary/compose", { texts: typed, ...(team ? { team } : {}) });
  /** @type {Map<string, string>} */
  const sent = new Map();
  for (const { text, sent: english, refused } of texts) {
    if (refused) throw new ApiError(422, refused.code, refused.detail, { ...refused.params, text });
    sent.set(text, english);
  }
  const of = (/** @type {string} */ text) => sent.get(text) ?? text;
  const said = Object.fromEntries([...sent].map(([text, english]) => [english, text]));
  return { ...read, text: of(read.text), not: [...new Set(read.not.map(of))], said, glossary };
}

/**
 * The version of the words that gave what is sent; the latest of several, empty where all was typed.
 *
 * @param {import("./prompts.js").Prompt[]} prompts
 */
export function versionOf(prompts) {
  const given = prompts.filter(({ text, not, said = {} }) => [text, ...not].some((one) => one in said));
  const versions = given.flatMap((one) => one.glossary ?? []);
  return versions.sort((one, other) => one.localeCompare(other, "en", { numeric: true })).at(-1) ?? "";
}

// @ts-check
/** Prompts as people type them, and as specs write them. */

/**
 * One thing to look for.
 *
 * @typedef {object} Prompt
 * @property {string} name Of the category.
 * @property {string} text What the model is asked.
 * @property {string[]} not What it must not be taken for.
 * @property {number} slot Of its colour.
 * @property {boolean} hidden Its masks are not drawn.
 */

/** Most prompts of one picture, and letters of a text. */
export const MOST = 256, LONGEST = 200;

/**
 * Read what somebody typed: `text` or `name=text`, and `, not text` behind it, as after `-p`.
 *
 * @param {string} typed
 * @returns {{name: string, text: string, not: string[]} | null} null: there is nothing to look for.
 */
export function parse(typed) {
  const [head = "", ...nots] = typed.split(/,\s*not\s+/i).map((part) => part.trim());
  const equals = head.indexOf("=");
  const text = clean(equals < 0 ? head : head.slice(equals + 1));
  const name = clean(equals < 0 ? "" : head.slice(0, equals)) || text;
  return text ? { name, text, not: nots.map(clean).filter(Boolean) } : null;
}

/**
 * @param {string} text
 */
export function clean(text) {
  return text.replace(/\s+/g, " ").trim().slice(0, LONGEST);
}

/**
 * As a spec and the API take it.
 *
 * @param {Pick<Prompt, "name" | "text" | "not">} prompt
 */
export function asked({ name, text, not }) {
  return { text, ...(name === text ? {} : { name }), ...(not.length ? { not } : {}) };
}

/**
 * As it stands after `-p`.
 *
 * @param {Pick<Prompt, "name" | "text" | "not">} prompt
 */
export function typed({ name, text, not }) {
  const quote = (/** @type {string} */ part) => (/[=,"]/.test(part) ? `"${part.replace(/"/g, '\\"')}"` : part);
  const head = name === text ? quote(text) : `${quote(name)}=${quote(text)}`;
  return [head, ...not.map((one) => `not ${quote(one)}`)].join(", ");
}

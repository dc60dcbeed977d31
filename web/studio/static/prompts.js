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
 * @property {string} [glossary] Version of the words that gave it.
 * @property {Record<string, string>} [said] What was typed in Chinese, by what is sent for it.
 */

/** Most prompts of one picture. */
export const MOST = 256;

const QUOTED = String.raw`"(?:[^"]|"")*"`, NOT = String.raw`,\s*not(?=\s|$)`;

/** Where one part ends and the next begins; a part in double quotes is taken as written. */
const SEPARATOR = new RegExp(`(=)|${NOT}`, "i"), WHOLE = new RegExp(`^\\s*${QUOTED}\\s*(?=$|=|${NOT})`, "i");

/**
 * Read what somebody typed: `text` or `name=text`, and `, not text` behind it, as after `-p`.
 *
 * @param {string} typed
 * @returns {{name: string, text: string, not: string[]} | null} null: there is nothing to look for,
 *   or it could be divided in more than one way.
 */
export function parse(typed) {
  const parts = [""];
  const signs = [];
  let rest = typed;
  for (;;) {
    const whole = WHOLE.exec(rest)?.[0].length ?? 0;
    const found = SEPARATOR.exec(rest.slice(whole));
    const end = found ? whole + found.index : rest.length;
    parts[signs.length] = unquoted(rest.slice(0, end));
    if (!found) break;
    signs.push(found[1] ? "=" : "not");
    rest = rest.slice(end + found[0].length);
  }
  if (signs.lastIndexOf("=") > 0 || parts.some((part) => !part)) return null;
  const [first = "", ...others] = parts;
  const [name = "", text = "", ...not] = signs[0] === "=" ? parts : [first, first, ...others];
  return { name, text, not };
}

/** @param {string} part */
function unquoted(part) {
  const quoted = new RegExp(`^${QUOTED}$`).test(part.trim());
  return clean(quoted ? part.trim().slice(1, -1).replaceAll('""', '"') : part);
}

/**
 * @param {string} text
 */
export function clean(text) {
  return text.replace(/\s+/g, " ").trim();
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
 * What is asked of a picture, as a spec and the API take it; what is usual is left out.
 *
 * @param {{prompts: Pick<Prompt, "name" | "text" | "not">[], tiles: "off" | "auto"}} work
 */
export function questionOf({ prompts, tiles }) {
  return { prompts: prompts.map(asked), ...(tiles === "off" ? {} : { tiles }) };
}

/**
 * As it stands after `-p`.
 *
 * @param {Pick<Prompt, "name" | "text" | "not">} prompt
 */
export function typed({ name, text, not }) {
  const quote = (/** @type {string} */ part) => (/[=,"]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part);
  const head = name === text ? quote(text) : `${quote(name)}=${quote(text)}`;
  return [head, ...not.map((one) => `not ${quote(one)}`)].join(", ");
}

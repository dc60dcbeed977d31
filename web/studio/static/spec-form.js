// @ts-check
/**
 * What is asked of a batch's images, as a form holds it: from a spec, from a batch, from what somebody
 * types, and back to the spec that the API takes.
 */

/**
 * @typedef {object} Prompt
 * @property {string} name Of its category.
 * @property {string} text What is looked for.
 * @property {string[]} not Texts of what it is not.
 * @property {Record<string, unknown>} rest Its kind, and what counts of it alone.
 * @property {Record<string, string>} [said] What was typed for a negative, by what is sent.
 *
 * @typedef {object} Reading What counts.
 * @property {number} threshold
 * @property {number | null} max_overlap null: as the model's own.
 * @property {number} max_against
 * @property {boolean} exclusive
 *
 * @typedef {object} Asked
 * @property {Prompt[]} prompts
 * @property {Reading} reading
 * @property {string} model Empty: the pool's own.
 * @property {boolean} verify
 * @property {string} [glossary] Version of the words that gave English for Chinese texts, before.
 * @property {unknown} [tiles] As the spec says it; undefined: off.
 */

import { asked, parse } from "./prompts.js";

/** What counts where nobody says otherwise; `maskpool/reading.py` has the same. */
export const USUAL = Object.freeze({ threshold: 0.5, max_overlap: null, max_against: 0.3, exclusive: false });

/** @returns {Asked} */
export function nothingAsked() {
  return { prompts: [], reading: { ...USUAL }, model: "", verify: false };
}

/**
 * A prompt as somebody types it: `name=text, not text`. null where there is no text.
 *
 * @param {string} typed
 * @returns {Prompt | null}
 */
export function readPrompt(typed) {
  const found = parse(typed);
  return found && { ...found, rest: {} };
}

/**
 * Read a spec: of a file, of a batch, or what Try carries over.
 *
 * @param {Record<string, any>} spec
 * @param {Record<string, any>} [reading] Of a batch, which keeps it beside its spec.
 * @returns {Asked}
 */
export function readSpec(spec, reading = {}) {
  const said = { ...spec, ...spec.settings, ...reading };
  const own = reading.prompts ?? {};
  const prompts = (spec.prompts ?? []).map((/** @type {any} */ one) => {
    if (typeof one === "string") return readPrompt(one);
    const { name, text, not = [], typed = [], ...rest } = one;
    const said = typed.length ? { said: Object.fromEntries(typed.map((/** @type {string} */ as, /** @type {number} */ at) => [not[at], as])) } : {};
    return { name: name || text, text, not: [...not], ...said, rest: { ...rest, ...own[name] } };
  });
  return {
    prompts: prompts.filter((/** @type {Prompt | null} */ one) => one !== null),
    reading: {
      threshold: said.threshold ?? USUAL.threshold,
      max_overlap: said.max_overlap ?? USUAL.max_overlap,
      max_against: said.max_against ?? USUAL.max_against,
      exclusive: said.exclusive ?? USUAL.exclusive,
    },
    model: spec.model ?? "",
    verify: spec.verify ?? false,
    ...(spec.glossary ? { glossary: spec.glossary } : {}),
    ...(spec.tiles && spec.tiles !== "off" ? { tiles: spec.tiles } : {}),
  };
}

/**
 * The spec that the API takes; what is as usual is left out.
 *
 * @param {Asked} asked
 * @returns {Record<string, unknown>}
 */
export function toSpec({ prompts, reading, model, verify, tiles }) {
  /** @type {Record<string, unknown>} */
  const spec = {
    prompts: prompts.map((one) => ({ ...one.rest, ...asked(one), ...typedOf(one) })),
  };
  const usual = /** @type {Record<string, unknown>} */ (USUAL);
  for (const [field, value] of Object.entries(reading)) {
    if (value !== usual[field]) spec[field] = value;
  }
  if (model) spec.model = model;
  if (verify) spec.verify = verify;
  if (tiles) spec.tiles = tiles;
  return spec;
}

/** Negatives as they were typed, for those that still are. @param {Prompt} prompt */
function typedOf({ not, said = {} }) {
  return not.some((one) => said[one]) ? { typed: not.map((one) => said[one] ?? one) } : {};
}

/**
 * Names that two prompts bear, which the API refuses.
 *
 * @param {Prompt[]} prompts
 * @returns {string[]}
 */
export function namedTwice(prompts) {
  const names = prompts.map((one) => one.name);
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
}


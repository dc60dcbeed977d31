// @ts-check
/** Which lists of words somebody sees and may change, and how a word of one is changed. */

import { ask, put, remove } from "./api.js";
import { t } from "./words.js";

/**
 * @import { Me } from "./shell.js"
 *
 * @typedef {object} List One list of words.
 * @property {string} name In the address; of a team its id.
 * @property {string} label
 * @property {string} what What stands above it, for people.
 * @property {string} path
 * @property {Record<string, string>} query
 * @property {boolean} may Whether its words may be changed here.
 */

/** Where the lists are that are nobody's own. */
export const POOL = "/api/v1/glossary";

/** Those of their teams first. @param {Me} who @returns {List[]} */
export function listsOf({ teams, admin, rights }) {
  const several = teams.length > 1;
  const own = teams.map(({ id, name, role }) => ({
    ...{ name: id, label: several ? name : t("glossary.list.team"), path: `/api/v1/teams/${id}/glossary`, query: {} },
    ...{ what: t("glossary.what.team", { name }), may: (admin || role !== "viewer") && rights.includes("submit") },
  }));
  const path = POOL, mayPool = admin && rights.includes("users");
  return [
    ...own,
    { name: "pool", label: t("glossary.list.pool"), path, query: { source: "pool" }, what: t("glossary.what.pool"), may: mayPool },
    { name: "shipped", label: t("glossary.list.shipped"), path, query: { source: "shipped" }, what: t("glossary.what.shipped"), may: false },
  ];
}

/**
 * A page of a list's words, and what stands for the list as it is.
 *
 * @param {{path: string, query: Record<string, unknown>}} question
 * @param {string | null} after
 * @param {number} limit
 */
export async function pageOf({ path, query }, after, limit) {
  const response = await ask("GET", path, { query: { ...query, after, limit } });
  return { etag: response.headers.get("etag") ?? "", ...(await response.json()) };
}

/** @param {string} path @param {string} word */
const at = (path, word) => `${path}/${encodeURIComponent(word)}`;

/** @param {string} path @param {string} word @param {string} kind @param {string} english */
export function putWord(path, word, kind, english) {
  return put(at(path, word), { english, kind });
}

/** @param {string} path @param {string} word @param {string} kind */
export function removeWord(path, word, kind) {
  return remove(at(path, word), { query: { kind } });
}

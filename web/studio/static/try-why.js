// @ts-check
/** Why a prompt found nothing that counts, and why one mask does not: in words with figures. */

import { number, t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./items.js").Item} Item */

/**
 * Why a mask does not count, in few words, as a row of a list has room for.
 *
 * @param {Item} item
 * @param {Work} work
 */
export function why(item, work) {
  if (item.reason === "contender") return t("why.contender", { name: rival(item, work) });
  if (item.reason === "against") return t("why.against", { text: typed(work, item) });
  return item.reason === "" || item.reason === "prompt" ? "" : t(`why.${item.reason}`);
}

/**
 * The same with the figures that decided; empty: it counts.
 *
 * @param {Item} item
 * @param {Work} work
 */
export function whyExactly(item, work) {
  const { shown, reason, name } = item;
  switch (reason) {
    case "score": {
      const [score, least] = apart(shown.score, work.reading.prompts[name]?.threshold ?? work.reading.threshold);
      return t("none.score", { score, least });
    }
    case "area":
      return t("none.area", { count: shown.area });
    case "overlap":
      return t("none.overlap", { share: number(shown.overlap, 2) });
    case "clip":
      return t("none.clip", { score: number(shown.score, 2), clip: number(shown.clip_score ?? 0, 2) });
    case "against":
      return t("none.against", { text: typed(work, item), share: number(shown.against ?? 0, 2) });
    case "contender":
      return t("none.contender", { name: rival(item, work) });
    default:
      return why(item, work);
  }
}

/**
 * Why nothing of a prompt counts; empty: something does, or it was not asked.
 *
 * @param {Work} work
 * @param {string} name
 */
export function whyNothing(work, name) {
  const answer = work.picture?.answer;
  const place = answer?.prompts.findIndex((one) => one.name === name) ?? -1;
  if (!answer || place < 0) return "";
  const mine = work.items.filter((one) => one.name === name);
  if (mine.some((one) => one.reason === "")) return "";
  const near = nearest(mine);
  if (near) return whyExactly(near, work);
  const { presence = null, best = null } = answer.scores?.[place] ?? {};
  if (presence === null || best === null) return t("none.nothing");
  return t("none.presence", { presence: number(presence, 2), best: number(best, 2) });
}

/**
 * What else than its score is in the way of one says more, as `producer/results/explained.py` has it.
 *
 * @param {Item[]} items
 */
function nearest(items) {
  const order = (/** @type {Item} */ one) => [one.reason === "score" ? 0 : 1, one.shown.score];
  return items.reduce((/** @type {Item | null} */ best, one) => {
    const [a = 0, b = 0] = order(one);
    const [c = -1, d = -1] = best ? order(best) : [];
    return a > c || (a === c && b > d) ? one : best;
  }, null);
}

/** @param {Item} item @param {Work} work */
function rival(item, work) {
  return work.items[item.instance.contender ?? -1]?.name ?? "";
}

/** The negative that explains a mask better, as it was typed. @param {Work} work @param {Item} item */
export function typed(work, { name, shown }) {
  const text = shown.against_text ?? "";
  return work.prompts.find((one) => one.name === name)?.said?.[text] ?? text;
}

/**
 * Two figures with as many places as tell them apart.
 *
 * @param {number} one
 * @param {number} other
 */
function apart(one, other) {
  const same = (/** @type {number} */ digits) => number(one, digits) === number(other, digits);
  const digits = !same(2) ? 2 : !same(3) ? 3 : 6;
  return [number(one, digits), number(other, digits)];
}

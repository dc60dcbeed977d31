// @ts-check
/**
 * Which stored instances count, and why the others do not: `maskpool.reading_rule` once more, so
 * that a slider acts on what is there and asks nobody.
 */

/**
 * What counts of one prompt; what is left out is as for all.
 *
 * @typedef {object} PromptReading
 * @property {number | null} [threshold]
 * @property {number | null} [min_area]
 * @property {number | null} [max_area]
 * @property {number | null} [max_count]
 */

/**
 * As `reading` of a batch.
 *
 * @typedef {object} Reading
 * @property {number} threshold
 * @property {number | null} max_overlap null: duplicates count.
 * @property {number} max_against
 * @property {boolean} exclusive
 * @property {Record<string, PromptReading>} prompts By name.
 */

/**
 * What the rule looks at, as `GET …/images/{seq}?which=stored` gives it.
 *
 * @typedef {object} Stored
 * @property {number} prompt Place among the prompts.
 * @property {number} score
 * @property {number} area
 * @property {number} overlap
 * @property {number | null} clip_score
 * @property {number | null} against
 * @property {number | null} contender Place among all stored.
 * @property {number | null} object_index
 */

/** @typedef {"" | "score" | "area" | "overlap" | "clip" | "against" | "contender" | "count"} Reason */

/** Least `clip_score` of instances that CLIP was asked about. */
const CLIP_MARGIN = 0.5;

/** @type {Reading} */
let ofModel = { threshold: 0.5, max_overlap: null, max_against: 0.3, exclusive: false, prompts: {} };

/** @returns {Reading} What holds where nobody said anything. */
export function usual() {
  return { ...ofModel, prompts: {} };
}

/**
 * Read as the pool reads a model's masks where nobody says otherwise.
 *
 * @param {Reading} reading
 */
export function learnUsual(reading) {
  ofModel = { ...ofModel, ...reading };
}

/**
 * A reading that begins elsewhere than was guessed, with what was changed of the guess.
 *
 * @param {Reading} guessed
 * @param {Reading} known
 * @param {Reading} now The guess, changed or not.
 * @returns {Reading}
 */
export function changed(guessed, known, now) {
  const same = (/** @type {keyof Reading} */ name) => JSON.stringify(now[name]) === JSON.stringify(guessed[name]);
  const kept = /** @type {(keyof Reading)[]} */ (Object.keys(now)).filter((name) => !same(name));
  return { ...known, ...Object.fromEntries(kept.map((name) => [name, now[name]])) };
}

/**
 * Why each instance does not count; empty: it counts.
 *
 * @param {Stored[]} instances All that are stored of one image, in their order.
 * @param {Reading} reading
 * @param {string[]} names Of the prompts, in their order.
 * @returns {Reason[]}
 */
export function reasons(instances, reading, names) {
  const own = names.map((name) => (Object.hasOwn(reading.prompts, name) ? reading.prompts[name] : undefined));
  const alone = instances.map((one) => byItself(one, reading, own[one.prompt]));
  const found = alone.map((reason, at) => {
    const contender = instances[at]?.contender ?? -1;
    return reason === "" && reading.exclusive && alone[contender] === "" ? "contender" : reason;
  });
  return best(instances, found, own);
}

/**
 * Whether an instance counts whatever else is in its image.
 *
 * @param {Stored} one
 * @param {Reading} reading
 * @param {PromptReading | undefined} own
 * @returns {Reason}
 */
function byItself(one, reading, own) {
  if (one.object_index !== null) return "";
  if (one.score < (own?.threshold ?? reading.threshold)) return "score";
  if (own && one.area < (own.min_area ?? 0)) return "area";
  if (own && one.area > (own.max_area ?? Infinity)) return "area";
  if (reading.max_overlap !== null && one.overlap > reading.max_overlap) return "overlap";
  if (one.clip_score !== null && one.clip_score < CLIP_MARGIN) return "clip";
  if (one.against !== null && one.against > reading.max_against) return "against";
  return "";
}

/**
 * Leave out what is beyond the count of its prompt; the best are stored first.
 *
 * @param {Stored[]} instances
 * @param {Reason[]} found
 * @param {(PromptReading | undefined)[]} own
 * @returns {Reason[]}
 */
function best(instances, found, own) {
  const left = own.map((one) => one?.max_count ?? Infinity);
  return found.map((reason, at) => {
    const one = instances[at];
    if (reason !== "" || !one || one.object_index !== null) return reason;
    const rest = left[one.prompt] ?? Infinity;
    left[one.prompt] = rest - 1;
    return rest > 0 ? "" : "count";
  });
}

/** Least and largest score that a slider chooses. */
export const LEAST = 0.05, MOST = 0.95;

/**
 * How many scores lie in each of some equal parts from `LEAST` to `MOST`; what is above the last
 * is counted there.
 *
 * @param {number[]} scores
 * @param {number} bins
 */
export function histogram(scores, bins) {
  /** @type {number[]} */
  const counts = new Array(bins).fill(0);
  for (const score of scores) {
    const bin = Math.floor(((score - LEAST) / (MOST - LEAST)) * bins);
    const at = Math.min(bins - 1, Math.max(0, bin));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

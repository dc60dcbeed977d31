// @ts-check
/**
 * Words of the page's language, and figures, dates and sizes as it writes them.
 *
 * A word is a whole sentence with places as `{name}`, or one for each plural form, which the value
 * `count` chooses from.
 */

/** @typedef {string | Record<string, string>} Word */

/** @type {Record<string, Word>} */
const all = JSON.parse(document.getElementById("words")?.textContent ?? "{}");

/** The language, as browsers name it: `en`, `zh-CN`. */
export const language = document.documentElement.lang || "en";

/** The same as people of the browser's country write it: days before months, or months first. */
const locale = navigator.languages.find((one) => one.split("-")[0] === language.split("-")[0]) ??
  language;

/** Made when they are first wanted, and once: each reads tables of the language for milliseconds. */
const plural = once(() => new Intl.PluralRules(language));
const relative = once(() => new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" }));
const dayTime = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }));
const dayAlone = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "medium" }));

/** @type {Map<string, Intl.NumberFormat>} Of numbers, by what is told of them. */
const formats = new Map();

/**
 * @template T
 * @param {() => T} make
 * @returns {() => T}
 */
function once(make) {
  /** @type {T | undefined} */
  let made;
  return () => (made ??= make());
}

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} options
 */
function written(value, options) {
  const key = JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, options);
    formats.set(key, format);
  }
  return format.format(value);
}

/**
 * Whether there is a word for a key that is made of a code, and a value for each of its places.
 *
 * @param {string} key
 * @param {Record<string, unknown>} values As `t`'s.
 */
export function known(key, values) {
  const said = (/** @type {string | {place: string}} */ part) => typeof part === "string" || values[part.place] !== undefined;
  return key in all && split(key, values).every(said);
}

/**
 * A sentence.
 *
 * @param {string} key
 * @param {Record<string, unknown>} [values] By the names of its places; numbers are formatted.
 * @returns {string}
 */
export function t(key, values = {}) {
  return split(key, values)
    .map((part) => (typeof part === "string" ? part : text(values[part.place])))
    .join("");
}

/**
 * A sentence with elements in its places: a link, a key to press.
 *
 * @param {string} key
 * @param {Record<string, unknown>} values
 * @returns {(string | Node)[]}
 */
export function fill(key, values) {
  return split(key, values).map((part) => {
    if (typeof part === "string") return part;
    const value = values[part.place];
    return value instanceof Node ? value : text(value);
  });
}

/**
 * @param {string} key
 * @param {Record<string, unknown>} values
 * @returns {(string | {place: string})[]}
 */
function split(key, values) {
  const word = all[key];
  if (word === undefined) throw new Error(`there is no word ${key}`);
  const sentence = typeof word === "string" ? word : form(word, Number(values.count));
  return sentence.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? { place: part } : part));
}

/**
 * @param {Record<string, string>} word
 * @param {number} count
 */
function form(word, count) {
  return word[plural().select(count)] ?? word.other ?? "";
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "number" ? number(value) : String(value ?? "");
}

/**
 * A number as people write it.
 *
 * @param {number} value
 * @param {number} [digits] Behind the point, always so many; left out: up to three.
 */
export function number(value, digits) {
  const places = digits === undefined
    ? { maximumFractionDigits: 3 }
    : { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return written(value, places);
}

/**
 * A share as per cent.
 *
 * @param {number} share 0 to 1.
 */
export function percent(share) {
  return written(share, { style: "percent", maximumFractionDigits: 0 });
}

/**
 * How fast: one digit behind the point below 100.
 *
 * @param {number} perSecond
 */
export function pace(perSecond) {
  return number(perSecond, perSecond < 100 ? 1 : 0);
}

/**
 * A length of time, in the two largest units.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const all = Math.max(0, Math.round(seconds));
  if (seconds > 0 && seconds < 0.95) return unit(Math.round(seconds * 1000), "millisecond");
  const sizes = /** @type {[number, string, number][]} */ ([
    [86400, "day", Infinity],
    [3600, "hour", 24],
    [60, "minute", 60],
    [1, "second", 60],
  ]);
  const from = Math.max(0, sizes.findIndex(([size]) => all >= size));
  const first = all === 0 ? 3 : from;
  const some = all % (sizes[first]?.[0] ?? 1) ? 2 : 1;
  return sizes.slice(first, first + some).map(([size, name, of]) => unit(Math.floor(all / size) % of, name)).join(" ");
}

/**
 * @param {number} value
 * @param {string} name
 */
function unit(value, name) {
  return written(value, { style: "unit", unit: name, unitDisplay: "short" });
}

/**
 * A size of data.
 *
 * @param {number} count Of bytes.
 */
export function bytes(count) {
  const names = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const step = Math.min(names.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = count / 1000 ** step;
  return unit(step && value < 10 ? Math.round(value * 10) / 10 : Math.round(value), names[step] ?? "byte");
}

/**
 * How long ago, or how far ahead, a moment is; a date from a week on.
 *
 * @param {string | number | Date} moment
 */
export function ago(moment) {
  const seconds = (new Date(moment).getTime() - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return relative().format(0, "second");
  if (size < 2700) return relative().format(Math.round(seconds / 60), "minute");
  if (size < 79200) return relative().format(Math.round(seconds / 3600), "hour");
  if (size < 604800) return relative().format(Math.round(seconds / 86400), "day");
  return day(moment);
}

/**
 * A moment with its time of day.
 *
 * @param {string | number | Date} moment
 */
export function dateTime(moment) {
  return dayTime().format(new Date(moment));
}

/**
 * A moment's day.
 *
 * @param {string | number | Date} moment
 */
export function day(moment) {
  return dayAlone().format(new Date(moment));
}

/**
 * A count without anything behind the point.
 *
 * @param {number} value
 */
export function count(value) {
  return written(value, { maximumFractionDigits: 0 });
}

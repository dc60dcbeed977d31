// @ts-check
/**
 * Colours of masks. A colour belongs to a prompt, in the order of adding, on every page.
 *
 * Eight colours stay apart for colour-blind eyes, by lightness as well as by hue; from the ninth
 * prompt on they come again with dashed outlines.
 */

/** As `--m1` to `--m8` of the stylesheet. */
export const COLOURS = [
  "#6a81ef",
  "#fd8e00",
  "#c72674",
  "#03d0bd",
  "#fff610",
  "#520fdb",
  "#a9feff",
  "#7e3302",
];

/** Below each outline: it keeps yellow alive on white, and violet on black. */
export const CASE = "rgb(0 0 0 / .62)";

/** Share of the colour that fills a mask. */
export const FILL = 0.4;

/**
 * How the masks of a prompt are drawn.
 *
 * @param {number} slot Of the prompt, from 0 on.
 * @returns {{colour: string, dashed: boolean, className: string}}
 */
export function look(slot) {
  const at = slot % COLOURS.length;
  return { colour: COLOURS[at] ?? "#888888", dashed: slot >= COLOURS.length, className: `c${at + 1}` };
}

/**
 * The first slot that none has.
 *
 * @param {number[]} taken
 */
export function freeSlot(taken) {
  return taken.length ? Math.max(...taken) + 1 : 0;
}

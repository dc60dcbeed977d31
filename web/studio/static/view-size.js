// @ts-check
/** How large the view of a picture is, and its masks with `scale=view`. */

/** Longest side of a view, pixels. */
const VIEW_SIDE = 2048;

/**
 * Width and height of a picture's view, as `maskpool.picture_sizes.fitted` has them.
 *
 * @param {number} width
 * @param {number} height
 * @returns {[number, number]}
 */
export function fitted(width, height) {
  const longer = Math.max(width, height);
  if (longer <= VIEW_SIDE) return [width, height];
  const shorter = Math.max(1, Math.floor((2 * Math.min(width, height) * VIEW_SIDE + longer) / (2 * longer)));
  return width >= height ? [VIEW_SIDE, shorter] : [shorter, VIEW_SIDE];
}

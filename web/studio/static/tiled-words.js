// @ts-check
/** How a picture was looked at where its question asks for tiles, and why so, in words. */

import { t } from "./words.js";

/** @param {import("./asking.js").Tiled} tiles */
export function tiledWords({ why, side, count, left_out }) {
  if (!count) return t(why === "regions" ? "tiles.regions" : "tiles.small", { side });
  const left = left_out ? ` ${t("tiles.left_out", { count: left_out })}` : "";
  return t(why === "large" ? "tiles.large" : "tiles.asked", { count, side }) + left;
}

// @ts-check
/** The switch of a new batch that has large pictures looked at in tiles, too. */

import { byId, on, swap } from "./dom.js";
import { t } from "./words.js";

/**
 * @param {() => import("./spec-form.js").Asked} asked
 * @param {() => void} onchange
 * @returns {() => void} Draws it anew.
 */
export function tilesSwitch(asked, onchange) {
  const input = byId("tiles", HTMLInputElement), hint = byId("tiles-hint", HTMLElement);
  const draw = () => {
    const { tiles } = asked();
    input.checked = tiles !== undefined;
    // A spec may say more of them than a switch.
    const { size = null, overlap = null } = typeof tiles === "object" && tiles !== null ? /** @type {any} */ (tiles) : {};
    const given = [size !== null && t("tiles.side", { side: size }), overlap !== null && t("tiles.overlap", { overlap })];
    const said = given.filter(Boolean).join(t("and_comma"));
    swap(hint, said ? t("tiles.as_spec", { said }) : t("tiles.hint_batch"));
  };
  on(input, "change", () => {
    if (input.checked) asked().tiles = "auto";
    else delete asked().tiles;
    draw();
    onchange();
  });
  draw();
  return draw;
}

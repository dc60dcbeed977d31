// @ts-check
/** The switch that has large pictures looked at in tiles, too, and what became of it. */

import { byId, on, swap } from "./dom.js";
import { tiledWords } from "./tiled-words.js";
import { t } from "./words.js";

/** @param {import("./work.js").Work} work */
export function wireTiles(work) {
  const input = byId("tiles", HTMLInputElement), hint = byId("tiles-hint", HTMLElement);
  on(input, "change", () => {
    work.tiles = input.checked ? "auto" : "off";
    // It is another question, which is asked at once.
    work.tell("prompts");
  });
  const draw = () => {
    input.checked = work.tiles !== "off";
    const known = input.checked && work.prompts.length ? (work.picture?.answer?.tiles ?? null) : null;
    const words = known ? tiledWords(known) : t("tiles.hint");
    if (hint.textContent !== words) swap(hint, words);
  };
  work.on("prompts", draw);
  work.on("pictures", draw);
  draw();
}

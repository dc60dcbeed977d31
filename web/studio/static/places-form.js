// @ts-check
/** Places that one's teams may read from, to be chosen as the source of a batch. */

import { explain, get } from "./api.js";
import { byId, el, show, swap } from "./dom.js";
import { t } from "./words.js";

/**
 * @typedef {{team: string, kind: "bucket" | "host", place: string}} Place As the API lists it.
 * @typedef {{place: string, below: string}} ChosenPlace
 */

/** @returns {Promise<Place[]>} The places that one's teams may read from. */
export function placesOf() {
  return get("/api/v1/places");
}

/**
 * Draw them.
 *
 * @param {Place[]} granted
 * @param {ChosenPlace[]} chosen
 * @param {(chosen: ChosenPlace[]) => void} onchange
 */
export function drawPlaceChoices(granted, chosen, onchange) {
  const buckets = granted.filter((one) => one.kind === "bucket").map((one) => one.place);
  let now = chosen;
  const lines = buckets.map((place, at) =>
    line(place, at, now.find((one) => one.place === place), (one) => {
      now = [...now.filter((other) => other.place !== place), ...(one ? [one] : [])];
      onchange(now);
    })
  );
  byId("places", HTMLElement).replaceChildren(...lines);
  show(byId("no-places", HTMLElement), buckets.length === 0);
  show(byId("places-what", HTMLElement), buckets.length > 0);
  const all = granted.map((one) => (one.kind === "bucket" ? `s3://${one.place}` : one.place));
  const words = all.length ? t("list.granted", { places: all.join(t("and_comma")) }) : t("list.none");
  swap(byId("list-hosts", HTMLElement), words);
}

/** Say why nobody knows which places there are. @param {unknown} error */
export function refusePlaces(error) {
  byId("places", HTMLElement).replaceChildren(el("li", { class: "hint hint--bad", role: "alert" }, explain(error)));
  swap(byId("list-hosts", HTMLElement), explain(error));
}

/**
 * @param {string} place
 * @param {number} at
 * @param {ChosenPlace | undefined} known
 * @param {(chosen: ChosenPlace | null) => void} onchange
 */
function line(place, at, known, onchange) {
  const change = () => onchange(choice.checked ? { place, below: below.value.trim() } : null);
  const below = el("input", {
    class: "input",
    value: known?.below ?? "",
    placeholder: t("places.below_hint"),
    "aria-label": t("places.below", { place }),
    oninput: change,
  });
  const choice = el("input", { type: "checkbox", id: `place-${at}`, checked: Boolean(known), onchange: change });
  const label = el("label", { class: "check grow", for: `place-${at}` }, choice, `s3://${place}`);
  return el("li", { class: "row" }, label, below);
}

// @ts-check
/** Choose a picture of a batch. */

import { address, explain, get } from "./api.js";
import { el, icon, iconButton, swap } from "./dom.js";
import { ago, number, t } from "./words.js";

/** Batches and pictures that are offered; more are found under Batches. */
const BATCHES = 30, PICTURES = 60;

/**
 * What its window holds.
 *
 * @param {(batch: string, image: number) => void} choose
 * @param {() => void} close
 */
export function batchParts(choose, close) {
  const body = el("div", { class: "stack" }, el("p", { class: "muted" }, t("dialog.loading")));
  const fail = (/** @type {unknown} */ error) => swap(body, el("p", { class: "hint hint--bad", role: "alert" }, explain(error)));
  const batches = async () => {
    const { batches: all } = await get("/api/v1/batches", { query: { limit: BATCHES } });
    if (!all.length) swap(body, el("p", { class: "muted" }, t("choose.none")));
    else swap(body, el("ul", { class: "choices" }, all.map((/** @type {any} */ one) => row(one, () => pictures(one).catch(fail)))));
  };
  const pictures = async (/** @type {any} */ batch) => {
    const { images } = await get(`/api/v1/batches/${batch.id}/images`, { query: { limit: PICTURES } });
    const back = iconButton("back", t("choose.back"), () => batches().catch(fail));
    const tiles = images.map((/** @type {any} */ one) =>
      tile(batch.id, one, () => {
        close();
        choose(batch.id, one.seq);
      })
    );
    swap(body, el("div", { class: "row" }, back, el("h3", { class: "trunc" }, batch.name || batch.id)), el("div", { class: "tiles" }, tiles));
  };
  batches().catch(fail);
  return { body: [body] };
}

/**
 * @param {any} batch
 * @param {() => void} open
 */
function row(batch, open) {
  const small = el("small", { class: "num" }, t("choose.pictures", { count: batch.total }), " · ", ago(batch.created_at));
  const name = el("span", { class: "trunc" }, batch.name || batch.id);
  return el("li", {}, el("button", { class: "choice", type: "button", onclick: open }, icon("layers"), name, small));
}

/**
 * @param {string} batch
 * @param {any} image
 * @param {() => void} choose
 */
function tile(batch, image, choose) {
  const src = address(`/api/v1/batches/${batch}/images/${image.seq}/thumbnail`);
  const name = image.name.split("/").at(-1) || number(image.seq);
  const picture = el("span", { class: "tile__pic" }, el("img", { src, alt: "", loading: "lazy" }));
  return el(
    "button",
    { class: "tile choice-tile", type: "button", onclick: choose },
    picture,
    el("span", { class: "tile__cap" }, el("span", { class: "trunc" }, name)),
  );
}

// @ts-check
/** Images of a batch that failed: few lines by reason, each with what to do about it. */

import { explain, get } from "./api.js";
import { byId, el, show, swap } from "./dom.js";
import { count, t } from "./words.js";

/**
 * @typedef {{kind: string, images: number, example: string}} Alike
 * @typedef {{seq: number, name: string, kind: string, error: string}} Failed
 */

/** Names that are shown of one reason, and pages that are read for them. */
const NAMES = 100, PAGES = 10;

/**
 * Draw the reasons.
 *
 * @param {string} batchId
 * @param {number} failed How many images.
 * @param {(seq: number) => void} open Look at one of them.
 */
export async function drawFailures(batchId, failed, open) {
  show(byId("failed", HTMLElement), failed > 0);
  if (!failed) return;
  swap(byId("h-failed", HTMLElement), t("failures.count", { count: failed }));
  /** @type {Alike[]} */
  const kinds = await get(`/api/v1/batches/${batchId}/failures/kinds`);
  const list = byId("fails", HTMLElement);
  const opened = new Set([...list.querySelectorAll("button[aria-expanded=true]")].map((one) => one.id));
  if (opened.size) return; // somebody reads it; the sum above is right
  list.replaceChildren(...kinds.map((one) => line(batchId, one, open)));
}

/**
 * @param {string} batchId
 * @param {Alike} alike
 * @param {(seq: number) => void} open
 */
function line(batchId, { kind, images, example }, open) {
  const names = el("ul", { hidden: true, id: `names-${kind}` });
  const button = el("button", {
    class: "btn btn--ghost",
    type: "button",
    id: `show-${kind}`,
    "aria-expanded": "false",
    "aria-controls": `names-${kind}`,
    onclick: async () => {
      const yes = names.hidden;
      names.hidden = !yes;
      button.setAttribute("aria-expanded", String(yes));
      swap(button, t(yes ? "failures.hide" : "failures.show"));
      if (!yes || names.querySelector("a")) return;
      try {
        const found = await namesOf(batchId, kind, images);
        names.replaceChildren(...found.map((one) => nameLine(one, open)));
        if (found.length < images) names.append(el("li", { class: "muted" }, t("failures.more", { count: images - found.length })));
      } catch (error) {
        names.replaceChildren(el("li", { class: "hint--bad", role: "alert" }, explain(error)));
      }
    },
  }, t("failures.show"));
  const what = el("span", {}, t(`failure.${kind}`), el("small", { title: example }, t(`remedy.${kind}`)));
  return el("li", {}, el("b", {}, count(images)), what, button, names);
}

/**
 * @param {Failed} failed
 * @param {(seq: number) => void} open
 */
function nameLine({ seq, name, error }, open) {
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    open(seq);
  };
  return el("li", {}, el("a", { href: `#image=${seq}`, onclick: go }, name), " ", el("small", { lang: "en" }, error));
}

/**
 * @param {string} batchId
 * @param {string} kind
 * @param {number} images
 */
async function namesOf(batchId, kind, images) {
  /** @type {Failed[]} */
  const found = [];
  let after = null;
  for (let page = 0; page < PAGES && found.length < Math.min(NAMES, images); page++) {
    const answer = await get(`/api/v1/batches/${batchId}/failures`, { query: { limit: 500, after } });
    found.push(...answer.failures.filter((/** @type {Failed} */ one) => one.kind === kind));
    after = answer.next;
    if (after === null) break;
  }
  return found.slice(0, NAMES);
}

// @ts-check
/** What can be done with a batch, and the dialogs that ask before it. */

import { address, explain, patch, post, remove } from "./api.js";
import { hasEnded } from "./batch-parts.js";
import { openDialog } from "./dialog.js";
import { el } from "./dom.js";
import { t } from "./words.js";

/** @import { Batch } from "./batch-parts.js" */

/** @param {Batch} batch */
const path = (batch) => `/api/v1/batches/${batch.id}`;

/**
 * @typedef {object} Act
 * @property {string} name Key of its words, and icon.
 * @property {string} icon
 * @property {boolean} [danger]
 * @property {(batch: Batch) => boolean} when
 * @property {(batch: Batch) => Promise<unknown>} run
 */

/** @type {Act[]} */
export const ACTS = [
  { name: "pause", icon: "pause", when: ({ state }) => state === "active", run: (one) => post(`${path(one)}/pause`) },
  { name: "resume", icon: "play", when: ({ state }) => state === "paused", run: (one) => post(`${path(one)}/resume`) },
  {
    name: "retry",
    icon: "retry",
    when: ({ state, failed }) => state === "done" && failed > 0,
    run: (one) => post(`${path(one)}/retry`),
  },
  { name: "rename", icon: "pen", when: () => true, run: rename },
  {
    name: "cancel",
    icon: "stop",
    danger: true,
    when: (batch) => !hasEnded(batch),
    run: (one) => sure("cancel", one, () => post(`${path(one)}/cancel`)),
  },
  {
    name: "delete",
    icon: "trash",
    danger: true,
    when: hasEnded,
    run: (one) => sure("delete", one, () => remove(path(one))),
  },
];

/**
 * Ask before something that ends work; resolves with what came of it, null where nothing was done.
 *
 * @param {string} what
 * @param {Batch} batch
 * @param {() => Promise<unknown>} work
 */
function sure(what, batch, work) {
  const question = el("p", {}, t(`batch.sure.${what}`, { name: batch.name, count: batch.total - batch.done }));
  return form(t(`batch.${what}`), [question], { words: t(`batch.${what}`), danger: true }, work);
}

/** @param {Batch} batch */
function rename(batch) {
  const field = el("input", { class: "input input--lg", id: "new-name", maxlength: "500", value: batch.name });
  const body = el("div", { class: "field" }, el("label", { for: "new-name" }, t("batch.name")), field);
  const done = form(t("batch.rename"), [body], { words: t("save") }, () => patch(path(batch), { name: field.value }));
  field.select();
  return done;
}

/**
 * A dialog with one button that does something; a refusal is said in it.
 *
 * @param {string} title
 * @param {Node[]} body
 * @param {{words: string, danger?: boolean}} button
 * @param {() => Promise<unknown>} work
 * @returns {Promise<unknown>}
 */
export function form(title, body, button, work) {
  return new Promise((resolve) => {
    const why = el("p", { class: "hint hint--bad", role: "alert" });
    const go = el("button", { class: `btn btn--primary ${button.danger ? "btn--stop" : ""}` }, button.words);
    const back = el("button", { class: "btn", type: "button", onclick: () => made.close() }, t("back"));
    const made = openDialog(title, [el("form", { id: "ask", class: "stack" }, ...body, why)], [back, go]);
    made.classList.add("dialog--small");
    go.setAttribute("form", "ask");
    made.addEventListener("close", () => resolve(null));
    made.querySelector("form")?.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        resolve(await work());
        made.close();
      } catch (error) {
        why.textContent = explain(error);
        go.disabled = false;
      }
    });
  });
}

/**
 * Who may see a batch, and the address to send them.
 *
 * @param {Batch} batch
 * @param {string} team Its team's name; empty: it is of none.
 */
export function share(batch, team) {
  const url = new URL(address(`/batches/${batch.id}`), location.href).href;
  const field = el("input", { class: "input", id: "share-url", readonly: true, value: url });
  const copied = el("span", { class: "hint", role: "status" });
  const copy = el("button", {
    class: "btn",
    type: "button",
    onclick: async () => {
      field.select();
      // Without TLS there is no clipboard; what is selected can be copied by hand.
      const done = await navigator.clipboard?.writeText(url).then(() => true, () => false);
      copied.textContent = t(done ? "share.copied" : "share.by_hand");
    },
  }, t("share.copy"));
  const who = team ? t("share.team", { team, owner: batch.owner }) : t("share.alone", { owner: batch.owner });
  const row = el("div", { class: "secret" }, field, copy);
  const label = el("label", { class: "vh", for: "share-url" }, t("share.link"));
  openDialog(t("batch.share"), [el("div", { class: "stack" }, el("p", {}, who), label, row, copied)]).classList.add("dialog--small");
}

// @ts-check
/** How far a batch is, how fast it goes, and what it costs. */

import { hasEnded, progressBar } from "./batch-parts.js";
import { byId, el, swap } from "./dom.js";
import { count, duration, language, pace, percent, t } from "./words.js";

/**
 * @import { Batch } from "./batch-parts.js"
 *
 * @typedef {Batch & {pace: {images_per_s: number | null, seconds_left: number | null},
 *   spec: Record<string, any>, reading: Record<string, any>}} OneBatch
 *
 * @typedef {{amount: number, currency: string}} Price Of an hour of a GPU.
 */

const KEPT = "maskpool.price";

/** Currencies that one may choose. */
export const CURRENCIES = ["EUR", "USD", "CNY", "GBP", "JPY"];

/** What this person pays; null: they never said. @returns {Price | null} */
export function price() {
  try {
    const known = JSON.parse(localStorage.getItem(KEPT) ?? "null");
    return known && known.amount > 0 ? known : null;
  } catch {
    return null;
  }
}

/** @param {Price | null} said */
export function setPrice(said) {
  if (said) localStorage.setItem(KEPT, JSON.stringify(said));
  else localStorage.removeItem(KEPT);
}

/**
 * An amount of money.
 *
 * @param {number} amount
 * @param {string} currency
 */
function money(amount, currency) {
  const digits = amount && amount < 1 ? 3 : 2;
  return amount.toLocaleString(language, { style: "currency", currency, maximumFractionDigits: digits });
}

/**
 * @param {OneBatch} batch
 * @param {number | null} masks That count; null: nobody knows.
 */
export function drawProgress(batch, masks) {
  const ended = batch.done + batch.failed;
  swap(byId("ended", HTMLElement), count(ended));
  swap(byId("total", HTMLElement), t("batch.of_images", { count: batch.total }));
  swap(byId("percent", HTMLElement), batch.total ? percent(Math.floor((ended / batch.total) * 100) / 100) : "");
  swap(byId("bar", HTMLElement), progressBar(batch, true));
  const facts = figures(batch, masks);
  byId("facts", HTMLElement).replaceChildren(
    ...facts.map(([key, value]) => el("div", {}, el("dt", {}, t(key)), el("dd", {}, value))),
  );
}

/**
 * @param {OneBatch} batch
 * @param {number | null} masks
 * @returns {[string, string][]}
 */
function figures(batch, masks) {
  /** @type {[string, string][]} */
  const found = [];
  const { images_per_s: speed, seconds_left: left } = batch.pace;
  if (batch.state === "active") {
    found.push(["fact.left", left === null ? "–" : duration(left)]);
    found.push(["fact.speed", speed === null ? "–" : t("fact.per_second", { pace: pace(speed) })]);
  } else if (hasEnded(batch) && batch.finished_at) {
    const seconds = (Date.parse(batch.finished_at) - Date.parse(batch.created_at)) / 1000;
    found.push(["fact.took", duration(seconds)]);
  }
  if (masks !== null) found.push(["fact.masks", count(masks)]);
  found.push(["fact.gpu", batch.gpu_seconds ? duration(batch.gpu_seconds) : "–"]);
  const paid = price();
  if (paid) {
    const cost = (batch.gpu_seconds / 3600) * paid.amount;
    found.push(["fact.cost", money(cost, paid.currency)]);
    const ended = batch.done + batch.failed;
    if (ended) found.push(["fact.per_1000", money((cost / ended) * 1000, paid.currency)]);
  }
  return found;
}

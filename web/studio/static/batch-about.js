// @ts-check
/** About a batch: whose it is, of what it was made, when, and what an hour of a GPU costs. */

import { sentTexts, sourceOf } from "./batch-parts.js";
import { CURRENCIES, price, setPrice } from "./batch-progress.js";
import { byId, el } from "./dom.js";
import { count, dateTime, t } from "./words.js";

/** @import { OneBatch } from "./batch-progress.js" */

/** Prompts that are named. */
const NAMED = 20;

/**
 * Draw it where it changed.
 *
 * @param {OneBatch} batch
 * @param {() => void} onprice Somebody said another price.
 */
export function drawAbout(batch, onprice) {
  const box = byId("settings", HTMLElement), { sample } = batch;
  const rows = [
    ["batch.owner", batch.owner],
    ["batch.source", sourceOf(batch)],
    ...(sample ? [["batch.sample", t("sample.drawn", { images: count(Math.min(sample.images, sample.of)), count: sample.of, seed: sample.seed })]] : []),
    ["new.prompts", promptsOf(batch.spec)],
    ["batch.priority", t(`batch.priority.${batch.priority}`)],
    ["batch.class", t(`batch.class.${batch.class}`)],
    ["batch.model", batch.model],
    ["batch.started", dateTime(batch.created_at)],
    ...(batch.finished_at ? [["batch.finished", dateTime(batch.finished_at)]] : []),
  ];
  const key = rows.join();
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, t(String(name))), el("dd", {}, value)]), ...priceRow(onprice));
}

/**
 * Its prompts by name, each with what is sent for it where that is another text.
 *
 * @param {Record<string, any>} spec
 */
function promptsOf(spec) {
  const prompts = /** @type {{name: string, text: string}[]} */ (spec.prompts), sent = sentTexts(spec);
  const named = prompts.slice(0, NAMED).map(({ name }) => (sent[name] ? `${name} → ${sent[name]}` : name));
  const more = prompts.length - named.length;
  return [...named, ...(more ? [t("failures.more", { count: more })] : [])].join(t("and_comma")) || "–";
}

/**
 * What an hour of a GPU costs this person.
 *
 * @param {() => void} onprice
 */
function priceRow(onprice) {
  const known = price();
  const amount = el("input", { class: "input num", id: "price", type: "number", min: "0", step: "0.01", value: known ? String(known.amount) : "", "aria-describedby": "price-hint" });
  const currency = el("select", { class: "select select--auto", "aria-label": t("price.currency") }, ...CURRENCIES.map((one) => el("option", { value: one }, one)));
  currency.value = known?.currency ?? CURRENCIES[0] ?? "";
  const change = () => {
    const said = Number(amount.value);
    setPrice(said > 0 ? { amount: said, currency: currency.value } : null);
    onprice();
  };
  amount.addEventListener("input", change);
  currency.addEventListener("change", change);
  return [
    el("dt", {}, el("label", { for: "price" }, t("price.hour"))),
    el("dd", {}, el("span", { class: "price row" }, amount, currency), el("span", { class: "hint", id: "price-hint" }, t("price.hint"))),
  ];
}

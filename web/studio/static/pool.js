// @ts-check
/** The pool's page: who works, what waits, and when it will be done. */

import { byId, el, icon, show, swap } from "./dom.js";
import { lookAtPool, onPool, whileSeen } from "./shell.js";
import { count, duration, pace, t } from "./words.js";

/** @import { PoolState, Waiting, Worker } from "./shell.js" */

/** Milliseconds between two looks. */
const EVERY = 2000;

/**
 * Seconds after which all of an owner's images are done, if nothing more comes.
 *
 * Owners share the workers evenly, so by then each other one was served as much, or all that it
 * has; what somebody waits for goes before. Priorities of batches are left out.
 *
 * @param {Waiting} one
 * @param {Waiting[]} queue
 * @param {number} speed Images a second of all workers.
 */
export function doneIn(one, queue, speed) {
  let ahead = 0;
  for (const other of queue) {
    if (other.class === one.class) ahead += Math.min(other.images, one.images);
    else if (other.class === "now") ahead += other.images;
  }
  return ahead / speed;
}

/** @param {Worker[]} workers */
function speedOf(workers) {
  return workers.reduce((sum, one) => sum + (one.images_per_s ?? 0), 0);
}

/** @param {PoolState} pool */
function draw(pool) {
  const speed = speedOf(pool.workers);
  const waiting = pool.queue.reduce((sum, one) => sum + one.images, 0);
  swap(byId("workers-count", HTMLElement), count(pool.workers.length));
  swap(byId("speed", HTMLElement), speed ? pace(speed) : "–");
  swap(byId("waiting", HTMLElement), count(waiting));
  swap(byId("left", HTMLElement), left(waiting, speed));
  swap(byId("workers", HTMLElement), ...pool.workers.map(workerRow));
  swap(byId("queue", HTMLElement), ...pool.queue.map((one) => queueRow(one, pool.queue, speed)));
  show(byId("workers-box", HTMLElement), pool.workers.length > 0);
  show(byId("no-workers", HTMLElement), pool.workers.length === 0);
  show(byId("queue-box", HTMLElement), pool.queue.length > 0);
  show(byId("no-queue", HTMLElement), pool.queue.length === 0);
  const flower = byId("flower", HTMLAnchorElement);
  show(flower, Boolean(pool.flower));
  if (pool.flower) flower.href = pool.flower;
}

/**
 * @param {number} waiting
 * @param {number} speed
 */
function left(waiting, speed) {
  return waiting && speed ? duration(waiting / speed) : "–";
}

/** @param {Worker} one */
function workerRow(one) {
  const speed = one.images_per_s === null ? "–" : pace(one.images_per_s);
  return el(
    "tr",
    {},
    el("td", {}, el("span", { class: "name" }, one.name)),
    el("td", { class: "muted nowrap" }, device(one.device)),
    el("td", { class: "muted", "data-label": t("pool.model") }, one.model),
    el("td", { class: "r num", "data-label": t("pool.speed") }, el("b", {}, speed)),
  );
}

/**
 * What a device is, in words; its own name where it is another.
 *
 * @param {string} name As torch writes it: `cuda:0`, `cpu`.
 */
function device(name) {
  const card = /^cuda(?::(\d+))?$/.exec(name);
  if (card) return t("pool.gpu", { number: card[1] ?? "0" });
  return name === "cpu" ? t("pool.cpu") : name;
}

/**
 * @param {Waiting} one
 * @param {Waiting[]} queue
 * @param {number} speed
 */
function queueRow(one, queue, speed) {
  const when = speed ? t("pool.about", { time: duration(doneIn(one, queue, speed)) }) : "–";
  const now = one.class === "now";
  return el(
    "tr",
    {},
    el("td", {}, el("span", { class: "name" }, one.owner)),
    el(
      "td",
      {},
      el(
        "span",
        { class: "state" },
        el("span", { class: now ? "dot dot--work" : "dot dot--hollow" }),
        t(`pool.class.${one.class}`),
      ),
    ),
    el("td", { class: "r num", "data-label": t("pool.batches") }, count(one.batches)),
    el("td", { class: "r num", "data-label": t("pool.images") }, count(one.images)),
    el("td", { class: "r num nowrap", "data-label": t("pool.done_in") }, when),
  );
}

byId("flower", HTMLAnchorElement).prepend(icon("link"));
onPool(draw);
whileSeen(lookAtPool, EVERY);

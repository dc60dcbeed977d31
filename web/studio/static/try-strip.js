// @ts-check
/** The strip below the picture: where the question stands, and what it waits for. */

import { explain } from "./api.js";
import { byId, el, icon, on, svg, swap } from "./dom.js";
import { lookAtPool, onPool } from "./shell.js";
import { TOOL } from "./try-keys.js";
import { duration, percent, t } from "./words.js";

/** @typedef {import("./shell.js").PoolState} PoolState */

/** Milliseconds after which a question that is not answered is worth a word, and looks at the pool. */
const SLOW = 600, LOOK = 2000;

/**
 * @param {import("./standing.js").Standing} standing
 * @param {import("./work.js").Work} work
 * @param {import("./mask-canvas.js").MaskCanvas} canvas
 */
export function wireStrip(standing, work, canvas) {
  const strip = byId("strip", HTMLElement);
  /** @type {PoolState | null} */
  let pool = null;
  let timer = 0;
  let aimed = "";
  const draw = () => {
    clearTimeout(timer);
    const hint = aim(work, canvas);
    aimed = hint?.textContent ?? "";
    swap(strip, ...said(standing.word), ...parts(standing, pool, hint));
    // Who answered is there; the pool was looked at before.
    if (standing.now.phase === "done" && pool?.workers.length === 0) lookAtPool().catch(() => {});
    if (standing.now.phase !== "asking") return;
    const gone = performance.now() - (standing.now.since ?? 0);
    timer = setTimeout(() => {
      draw();
      if (gone > SLOW) lookAtPool().catch(() => {});
    }, gone < SLOW ? SLOW : LOOK);
  };
  standing.addEventListener("change", draw);
  // Who only looks at masks has no hint: nothing of the strip is drawn then.
  work.on("selection", () => {
    if ((aim(work, canvas)?.textContent ?? "") !== aimed) draw();
  });
  on(document, TOOL, draw);
  onPool((now) => {
    pool = now;
    draw();
  });
  draw();
}

/**
 * @param {import("./standing.js").Standing} standing
 * @param {PoolState | null} pool
 * @param {Node | null} hint What the tool will do.
 * @returns {(Node | string)[]}
 */
function parts(standing, pool, hint) {
  const { now, word } = standing;
  const demo = pool?.workers.length && pool.workers.every((one) => one.model === "demo");
  // On a phone there is room for it while nothing else is said.
  const wide = now.phase === "uploading" || now.phase === "asking" ? "wide-only" : "";
  const end = demo ? [el("span", { class: `strip__end muted ${wide}` }, t("strip.demo"))] : [];
  if (now.phase === "uploading") return [...uploading(now.share ?? 0), ...end];
  if (now.phase === "asking") return [...asking(now.since ?? 0, pool), ...end];
  if (now.phase === "failed") return failed(standing);
  if (word) return end;
  return [...ready(now, pool), ...(hint ? [hint] : []), ...end];
}

/**
 * What the next point or box is for: nobody should change a mask that they only looked at.
 *
 * @param {import("./work.js").Work} work
 * @param {import("./mask-canvas.js").MaskCanvas} canvas
 */
function aim({ picture, selected }, { tool }) {
  if (!picture || tool === "select" || tool === "move") return null;
  if (!selected) return el("span", {}, t("aim.new"));
  const name = `${selected.name} ${selected.number}`;
  if (tool === "box") return el("span", {}, t("aim.box", { name }));
  const corrects = t("aim.corrects", { name });
  return el("span", {}, corrects, el("span", { class: "desk-only" }, " ", t("aim.anew")));
}

/** @param {string} kind @param {string} words */
function state(kind, words) {
  return el("span", { class: "state" }, el("span", { class: `dot ${kind}` }), words);
}

/** @param {number} share */
function uploading(share) {
  const done = svg("rect", { class: "done", width: Math.round(share * 100), height: 6 });
  const box = svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }, done);
  return [state("dot--work", t("strip.uploading", { share: percent(share) })), el("span", { class: "bar" }, box)];
}

/**
 * @param {number} since
 * @param {PoolState | null} pool
 */
function asking(since, pool) {
  const gone = performance.now() - since;
  if (gone < SLOW) return [state("dot--work", t("strip.asking"))];
  if (pool && !pool.workers.length) return [state("dot--hollow", t("strip.no_worker"))];
  const ahead = (pool?.queue ?? []).filter((one) => one.class === "now").reduce((sum, one) => sum + one.images, 0) - 1;
  const where = ahead > 0 ? t("strip.ahead", { count: ahead }) : t("strip.at_work");
  return [state("dot--work", t("strip.waits", { time: duration(gone / 1000) })), el("span", {}, where)];
}

/** @param {unknown} word A sentence or an error. */
function said(word) {
  if (!word) return [];
  const sentence = typeof word === "string" ? word : explain(word);
  return [el("span", { class: "state is-bad", role: "alert" }, el("span", { class: "dot dot--bad" }), sentence)];
}

/** @param {import("./standing.js").Standing} standing */
function failed(standing) {
  const { now: { error, retry }, word } = standing;
  const again = () => {
    standing.say(null);
    retry?.();
  };
  const button = retry && el("button", { class: "btn", type: "button", onclick: again }, icon("retry"), t("strip.again"));
  return [...(word ? [] : said(error)), ...(button ? [button] : [])];
}

/**
 * @param {import("./standing.js").State} now
 * @param {PoolState | null} pool
 */
function ready(now, pool) {
  if (pool && !pool.workers.length) return [state("dot--hollow", t("strip.nobody"))];
  const last = now.ms ? el("span", { class: "num wide-only" }, t("strip.last", { time: duration(now.ms / 1000) })) : "";
  return [state("dot--ok", t("strip.ready")), ...(last ? [last] : [])];
}

// @ts-check
/** One batch: how far it is, what was found, and what counts. */

import { ApiError, explain, get, root } from "./api.js";
import { drawAbout } from "./batch-about.js";
import { ACTS, share } from "./batch-acts.js";
import { BatchChart } from "./batch-chart.js";
import { openExport } from "./batch-export.js";
import { drawFailures } from "./batch-failures.js";
import { BatchGallery } from "./batch-gallery.js";
import { hasEnded, sentTexts, stateLabel, typedNegative } from "./batch-parts.js";
import { drawProgress } from "./batch-progress.js";
import { BatchReading } from "./batch-reading.js";
import { drawSample } from "./batch-sample.js";
import { byId, el, icon, on, show, swap } from "./dom.js";
import { onBatches } from "./events.js";
import { addKeys } from "./keys.js";
import { me, onBack, whileSeen } from "./shell.js";
import { Viewer } from "./viewer.js";
import { t } from "./words.js";

/**
 * @import { OneBatch } from "./batch-progress.js"
 * @import { Me } from "./shell.js"
 */

const id = location.pathname.split("/").pop() ?? "";
const path = `/api/v1/batches/${id}`;

/** Milliseconds between two looks at a batch that goes on, and at what was found in it. */
const LOOK = 1500, LOOK_FOUND = 4000;

/** Between two looks at one that ended: somebody may rename or delete it. */
const LOOK_ENDED = 6000;

/** @type {OneBatch} */
let batch;

/** @type {Me} */
let who;

/** @type {BatchReading} */
let reading;

/** @type {BatchGallery} */
let gallery;

/** @type {Viewer} */
let viewer;

const chart = new BatchChart(byId("chart", HTMLElement));

let lookedAt = 0, seenAt = 0, drawnEnded = -1;

async function begin() {
  try {
    [who, batch] = await Promise.all([me, get(path)]);
  } catch (error) {
    swap(byId("missing", HTMLElement), icon("warn"), el("p", {}, explain(error)), el("a", { class: "btn", href: `${root}/batches` }, t("batch.to_list")));
    document.querySelectorAll(".batch__head, .gal, .side").forEach((part) => show(part, false));
    show(byId("missing", HTMLElement), true);
    return;
  }
  const names = [...batch.spec.prompts.map((/** @type {any} */ one) => one.name), ...(batch.spec.classes ?? [])];
  reading = new BatchReading({
    batchId: id,
    names,
    texts: sentTexts(batch.spec),
    mayChange: mayChange(),
    onchange: () => {
      gallery?.redraw();
      viewer?.redraw();
      if (gallery) drawProgress(batch, reading.masks);
    },
    onsave: () => gallery.restart(),
  });
  await reading.look().catch(tell);
  gallery = new BatchGallery({
    batchId: id,
    names,
    reading: () => reading.now,
    total: () => batch.total,
    tried: () => reading.changed,
    open: (index) => open(index),
  });
  const typed = (/** @type {number} */ prompt, /** @type {string} */ negative) => typedNegative(batch.spec, prompt, negative);
  viewer = new Viewer({ batchId: id, names, typed, reading: () => reading.now, list: () => gallery.paging, onmove: moved });
  draw();
  lookAtFound();
  wire();
}

/** Whether one may change this batch; the server asks again. */
function mayChange() {
  const role = who.teams.find((team) => team.id === batch.team)?.role;
  return who.admin || (batch.owner === who.name && who.rights.includes("change")) || role === "owner";
}

/** Draw all that hangs on the batch's row. */
function draw() {
  document.title = `${batch.name} · maskpool`;
  swap(byId("name", HTMLElement), batch.name);
  swap(byId("crumb", HTMLElement), teamName() || batch.owner);
  const state = byId("state", HTMLElement), label = stateLabel(batch);
  if (state.textContent !== label.textContent) swap(state, label);
  drawProgress(batch, reading.masks);
  drawActs();
  drawAbout(batch, () => drawProgress(batch, reading.masks));
  chart.note(batch);
  drawSample(batch, who, () => reading.now);
}

function teamName() {
  return who.teams.find((team) => team.id === batch.team)?.name ?? "";
}

function drawActs() {
  const box = byId("acts", HTMLElement), may = mayChange();
  const acts = ACTS.filter((act) => may && act.when(batch));
  const shown = acts.map((act) => act.name).join(" ");
  if (box.dataset.acts === shown) return;
  box.dataset.acts = shown;
  const first = acts.filter(({ name }) => name === "pause" || name === "resume");
  const rest = acts.filter((act) => !first.includes(act) && act.name !== "retry");
  const send = button("link", t("batch.share"), () => share(batch, teamName()));
  send.className = "phone-only";
  const list = el("div", { class: "menu__list" }, send, ...rest.map((act) => actButton(act, true)));
  box.replaceChildren(
    button("link", t("batch.share"), () => share(batch, teamName()), "desk-only"),
    ...first.map((act) => actButton(act)),
    button("down", t("batch.export"), () => openExport(batch, reading), "btn--primary"),
    el("details", { class: rest.length ? "menu" : "menu phone-only" }, el("summary", { class: "btn btn--icon", "aria-label": t("batch.more") }, icon("more")), list),
  );
  const retry = acts.find((act) => act.name === "retry");
  byId("retry", HTMLElement).replaceChildren(...(retry ? [actButton(retry)] : []));
}

/**
 * @param {string} sign
 * @param {string} words
 * @param {() => void} onclick
 * @param {string} [kind]
 */
function button(sign, words, onclick, kind = "") {
  return el("button", { class: `btn ${kind}`, type: "button", onclick }, icon(sign), words);
}

/**
 * @param {import("./batch-acts.js").Act} act
 * @param {boolean} [listed] In the menu.
 */
function actButton(act, listed = false) {
  const kind = listed ? (act.danger ? "btn--danger" : "") : act.name === "retry" ? "btn btn--ghost" : "btn";
  return el("button", { class: kind, type: "button", onclick: () => run(act) }, icon(act.icon), t(`batch.${act.name}`));
}

/** @param {import("./batch-acts.js").Act} act */
async function run(act) {
  swap(byId("refused", HTMLElement));
  try {
    const done = await act.run(batch);
    if (!done) return;
    if (act.name === "delete") location.assign(`${root}/batches?show=trash`);
    else await look();
  } catch (error) {
    tell(error);
  }
}

/** @param {unknown} error Only that somebody deleted the batch is news; all else passes. */
function gone(error) {
  if (error instanceof ApiError && error.status === 404) tell(error);
}

/** @param {unknown} error */
function tell(error) {
  swap(byId("refused", HTMLElement), explain(error));
}

/** Look at the batch again. */
async function look() {
  const before = batch.done + batch.failed, state = batch.state, { total } = batch;
  seenAt = performance.now();
  batch = await get(path);
  draw();
  const moved = batch.done + batch.failed !== before || batch.total !== total;
  if ((moved && seenAt - lookedAt > LOOK_FOUND) || batch.state !== state) await lookAtFound();
}

/** Look again at what was found: tiles, failures, counts. */
async function lookAtFound() {
  lookedAt = performance.now();
  const ended = batch.done + batch.failed;
  if (ended !== drawnEnded && drawnEnded >= 0) gallery.refresh();
  drawnEnded = ended;
  await Promise.all([drawFailures(id, batch.failed, openSeq), reading.count()]).catch(tell);
  drawProgress(batch, reading.masks);
}

/**
 * Open an image, so that the browser's way back closes it.
 *
 * @param {number} index
 */
function open(index) {
  const row = gallery.paging.at(index);
  if (row) history.pushState({ image: true }, "", `${location.pathname}${location.search}#image=${row.seq}`);
  viewer.open(index);
}

/** @param {number} seq Of an image that may be anywhere in the list. */
function openSeq(seq) {
  // In the order of the batch an image's number is its place.
  if (location.search) history.replaceState(null, "", location.pathname);
  gallery.choose("order");
  open(seq);
}

/** @param {number | null} index */
function moved(index) {
  const row = index === null ? null : gallery.paging.at(index);
  const here = `${location.pathname}${location.search}`;
  if (row && index !== null) {
    history.replaceState(history.state, "", `${here}#image=${row.seq}`);
    gallery.gallery.reveal(index);
  } else if (index === null && location.hash) {
    if (history.state?.image) history.back();
    else history.replaceState(null, "", here);
    gallery.gallery.focus();
  }
}

/** Open what the address names, among the pictures that it filters. */
async function follow() {
  const named = /^#image=(\d+)$/.exec(location.hash)?.[1], seq = Number(named);
  if (!named && viewer.isOpen) viewer.close();
  if (!named || viewer.isOpen) return;
  const index = location.search ? await gallery.place(seq) : seq;
  if (index === null) openSeq(seq);
  else if (!viewer.isOpen) viewer.open(index);
}

function wire() {
  // On a phone the pictures come first.
  if (matchMedia("(max-width: 720px)").matches) {
    for (const name of ["reading-box", "counts-box", "about-box"]) byId(name, HTMLDetailsElement).open = false;
  }
  on(globalThis, "popstate", follow);
  follow();
  onBatches((batches) => {
    const mine = batches.find((one) => one.id === id);
    if (mine) chart.note(/** @type {OneBatch} */ (mine));
    if (mine && (mine.state !== batch.state || mine.name !== batch.name)) look().catch(() => {});
  });
  whileSeen(async () => {
    const now = performance.now(), fresh = now - lookedAt < 3 * LOOK_FOUND;
    if (!hasEnded(batch) || fresh || now - seenAt > LOOK_ENDED) await look().catch(gone);
  }, LOOK);
  onBack(() => look().then(lookAtFound).catch(() => {}));
  addKeys(t("title.batch"), [
    { key: "[", name: t("keys.less"), run: () => nudge(-0.01) },
    { key: "]", name: t("keys.more"), run: () => nudge(0.01) },
    { key: "e", name: t("batch.export"), run: () => openExport(batch, reading) },
  ]);
}

/** @param {number} by */
function nudge(by) {
  const slider = byId("reading-threshold", HTMLInputElement);
  slider.value = String(Number(slider.value) + by);
  slider.dispatchEvent(new Event("input"));
}

begin();

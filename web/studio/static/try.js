// @ts-check
/** Try: the parts of the page, put together. */

import "./shell.js";
import { openPart } from "./dialog.js";
import { byId, on } from "./dom.js";
import { later } from "./later.js";
import { MaskCanvas } from "./mask-canvas.js";
import { part } from "./part.js";
import { changed, usual } from "./reading.js";
import { wireSheet } from "./sheet.js";
import { Standing } from "./standing.js";
import { Asking } from "./try-asking.js";
import { wireCard, wireTip } from "./try-card.js";
import { Correct } from "./try-correct.js";
import { wireFineness } from "./try-fineness.js";
import { hasReading, keep, restore } from "./try-kept.js";
import { setTool, wireKeys } from "./try-keys.js";
import { Pictures } from "./try-pictures.js";
import { wirePrompts } from "./try-prompts.js";
import { asAll, setThreshold, thresholdOf, wireReading } from "./try-reading.js";
import { wireStrip } from "./try-strip.js";
import { wireTiles } from "./try-tiles.js";
import { Table } from "./try-table.js";
import { askUsual } from "./usual-reading.js";
import { Work } from "./work.js";
import { onBack } from "./shell.js";
import { percent, t } from "./words.js";

const work = new Work();
const canvas = byId("canvas", MaskCanvas);
const standing = new Standing();
const say = (/** @type {unknown} */ word) => standing.say(word);
const chosen = hasReading();
const before = restore(work);
const pictures = new Pictures(work, canvas, standing);
const asking = new Asking(work, pictures, standing);
pictures.onshown = (/** @type {import("./work.js").Picture} */ picture) => asking.takeUp(picture);
const correct = new Correct(work, asking, say);
const table = new Table(work, (id, name) => correct.rename(id, name));

wirePrompts(work);
wireReading(work);
wireTiles(work);
wireFineness(work, say);
wireStrip(standing, work, canvas);
wireSheet();
wireCanvas();
wireKeys(canvas, acts(), work);
keep(work);
begin();

/** Take up what an earlier page of this tab had, or what the address names. */
async function begin() {
  guarded(readAsUsual);
  const wanted = new URLSearchParams(location.search);
  const [batch, image] = [wanted.get("batch"), Number(wanted.get("image"))];
  if (batch) {
    history.replaceState(null, "", location.pathname);
    await pictures.fromBatch(batch, image).catch(say);
    return;
  }
  const kept = before[work.at];
  const { picture } = work;
  if (picture && kept?.answer) await asking.resume(picture, kept.answer);
  pictures.show();
  work.tell("pictures", "prompts");
}

/** Begin with what counts for the pool's own model; what somebody chose, before or meanwhile, stays. */
async function readAsUsual() {
  const guessed = usual();
  await askUsual();
  if (!chosen) work.read(changed(guessed, usual(), work.reading));
}

function wireCanvas() {
  const hear = (/** @type {string} */ type, /** @type {(detail: any) => void} */ what) =>
    on(canvas, type, (event) => what(event.detail));
  hear("mask-hover", (mask) => {
    canvas.toggleAttribute("data-over", Boolean(mask));
    if (!canvas.scene.ghost) work.hover(mask?.id ?? "");
  });
  hear("mask-pick", (mask) => work.select(mask?.id ?? ""));
  hear("mask-point", (point) => correct.point(point));
  hear("mask-box", (box) => correct.box(box));
  hear("mask-view", () => {
    byId("zoom-share", HTMLOutputElement).value = percent(canvas.view.scale);
  });
  const after = later(buttons);
  work.on("items", () => {
    canvas.masks = work.shown.map((one) => one.mask);
    after();
  });
  work.on("selection", select);
  work.on("items", select);
  work.on("hover", () => {
    const item = work.items.find((one) => one.id === work.hoveredId);
    canvas.hover(item?.mask ?? null, Boolean(item && (item.reason !== "" || item.hidden)));
  });
  work.on("pictures", buttons);
  wireCard(work, canvas, {
    fix: () => setTool(canvas, "add"),
    leaveOut: () => correct.leaveOut(),
    rename: (id, name) => correct.rename(id, name),
    cutOut: () => save((one) => one.downloadCutout(work, chosenOnes())),
    png: () => save((one) => one.downloadMasks(work, chosenOnes())),
  });
  wireTip(work, canvas);
}

/** Show on the canvas what is selected, with its points and box. */
function select() {
  const item = work.selected;
  const edit = work.edits.find((one) => one.id === work.selectedId);
  const drawn = edit && edit.points.length === 0 ? edit.box : null;
  canvas.select(item?.mask ?? null, { points: edit?.points ?? [], box: drawn, waits: Boolean(edit?.waits && !edit.missed) });
}

/** Which buttons do anything now. */
function buttons() {
  const { picture } = work;
  const able = (/** @type {string} */ what, /** @type {boolean} */ yes) =>
    document.querySelectorAll(what).forEach((one) => one.toggleAttribute("disabled", !yes));
  able("button[data-tool]", picture !== null);
  able("[data-act=undo]", picture?.edits.canUndo ?? false);
  able("[data-act=redo]", picture?.edits.canRedo ?? false);
  able("[data-act=reset]", work.edits.length > 0);
  able("[data-act=previous]", work.at > 0);
  able("[data-act=next]", work.at < work.pictures.length - 1);
  able("[data-act^=download]", work.shown.length > 0);
}

/** The selected mask, as what is downloaded. */
function chosenOnes() {
  return work.items.filter((one) => one.id === work.selectedId);
}

/** @param {(downloads: typeof import("./try-download.js")) => Promise<void>} how */
function save(how) {
  guarded(async () => how(await part(() => import("./try-download.js"))));
}

/** Choose a picture of a batch, in a window. */
function fromBatch() {
  const choose = (/** @type {string} */ batch, /** @type {number} */ image) => guarded(() => pictures.fromBatch(batch, image));
  openPart(t("try.from_batch"), async (close) => (await part(() => import("./try-from-batch.js"))).batchParts(choose, close));
}

/** @param {() => Promise<void>} work Its failure is told. */
function guarded(work) {
  work().catch(say);
}

/** @returns {Record<string, () => void>} */
function acts() {
  return {
    pick: () => byId("file", HTMLInputElement).click(),
    "from-batch": fromBatch,
    first: () => {
      standing.say(null);
      Object.assign(work, { pictures: [], at: 0, items: [], selectedId: "", hoveredId: "" });
      work.tell("pictures", "items", "selection");
    },
    previous: () => pictures.go(work.at - 1),
    next: () => pictures.go(work.at + 1),
    undo: () => correct.undo(),
    redo: () => correct.redo(),
    reset: () => correct.reset(),
    fit: () => canvas.fit(),
    larger: () => canvas.zoom(1.4),
    smaller: () => canvas.zoom(1 / 1.4),
    mask_before: () => table.step(-1),
    mask_after: () => table.step(1),
    fix: () => setTool(canvas, "add"),
    leave_out: () => correct.leaveOut(),
    rename: () => table.rename(work.selectedId),
    let_go: () => (work.selectedId ? work.select("") : setTool(canvas, "select")),
    lower: () => setThreshold(work, thresholdOf(work) - 0.01),
    higher: () => setThreshold(work, thresholdOf(work) + 0.01),
    "as-all": () => asAll(work),
    rest: () => {
      work.rest = !work.rest;
      table.list();
    },
    presets: () =>
      openPart(t("presets.title"), async (close) => (await part(() => import("./try-presets.js"))).presetParts(work, close)),
    code: () => openPart(t("try.as_code"), async () => (await part(() => import("./try-code.js"))).codeParts(work)),
    batch: () => guarded(async () => (await part(() => import("./try-batch.js"))).useForBatch(work, pictures)),
    "download-masks": () => save((one) => one.downloadMasks(work, work.shown)),
    "download-labels": () => save((one) => one.downloadLabels(work)),
    "download-cutout": () => save((one) => one.downloadCutout(work, work.shown)),
    "download-coco": () => save((one) => one.downloadCoco(work)),
  };
}

onBack(() => {
  if (standing.now.phase === "failed") standing.now.retry?.();
});

// @ts-check
/** The form for a new batch: pictures, prompts, what counts, name; kept while somebody types. */

import { explain, newKey, root } from "./api.js";
import { proposedName } from "./batch-name.js";
import { carried, carriedWhole } from "./carry.js";
import { byId, el, icon, on, show, swap } from "./dom.js";
import { keepDraft, keepSampled, newDraft, readDraft } from "./new-batch-draft.js";
import { wireTakenFrom } from "./new-batch-prompts.js";
import { send } from "./new-batch-send.js";
import { bringAlong, Brought, wireSource } from "./new-batch-source.js";
import { chosenOf, readWhole, sayWhole, suffix } from "./new-batch-whole.js";
import { drawPlaceChoices, placesOf, refusePlaces } from "./places-form.js";
import { promptList } from "./prompt-list.js";
import { tilesSwitch } from "./new-batch-tiles.js";
import { usual } from "./reading.js";
import { readingForm } from "./reading-form.js";
import { onBack, onPool, ownTeams } from "./shell.js";
import { drawSum, picturesIn, sourceAsked } from "./new-batch-sum.js";
import { addresses, UploadForm } from "./source-form.js";
import { namedTwice, readSpec } from "./spec-form.js";
import { askUsual } from "./usual-reading.js";
import { t } from "./words.js";

/**
 * @import { Asked } from "./spec-form.js"
 * @import { Place } from "./places-form.js"
 * @import { Draft } from "./new-batch-draft.js"
 * @import { PoolState } from "./shell.js"
 */

/** Images that somebody may wait for, and that are loaded at once from a list; the server's own limits. */
const MAX_NOW = 100, MAX_LIST = 100000;

/** Pictures of a sample. */
const SAMPLE = 200;

const left = carriedWhole(), tried = carried();
// A sample that is gone meanwhile leaves the form as it was.
const whole = left && await readWhole(left).catch(() => null);
const draft = whole?.draft ?? readDraft();
if (tried?.pictures?.length || tried?.left) bringAlong(draft, tried.pictures ?? [], tried.at ?? -1, tried.left ?? 0);
const fields = {
  list: byId("list", HTMLTextAreaElement),
  name: byId("name", HTMLInputElement),
  priority: byId("priority", HTMLSelectElement),
  klass: byId("class", HTMLSelectElement),
  team: byId("team", HTMLSelectElement),
};
const start = byId("start", HTMLButtonElement), few = byId("few", HTMLButtonElement), note = byId("start-note", HTMLElement);

/**
 * Pressed while files are on their way: the batch is made when they are there.
 *
 * @type {{sample: number | null} | null}
 */
let armed = null;
let sending = false;

/** @type {PoolState | null} */
let pool = null;

/** @type {Place[] | null} */
let granted = null;

/** Of who has no choice of teams. */
let onlyTeam = "";

const prompts = promptList({ prompts: () => draft.asked.prompts, team: () => draft.team || onlyTeam, onchange: changed });
const reading = readingForm({
  reading: () => draft.asked.reading,
  onchange: changed,
  noOverlap: t("reading.usual"),
  usualOverlap: () => usual().max_overlap,
});
const drawTiles = tilesSwitch(() => draft.asked, changed);
byId("prompt-list", HTMLElement).append(prompts.element);
byId("reading", HTMLElement).append(reading.element);
const brought = new Brought(draft, () => upload.queue, changed);
const upload = new UploadForm(() => {
  brought.draw();
  sum();
  if (armed && upload.queue && !upload.queue.busy) go(armed.sample);
});

/** Something was typed: another request than before. */
function changed() {
  draft.key = newKey();
  show(byId("list-unkept", HTMLElement), !keepDraft(draft));
  disarm();
  sum();
}

function disarm() {
  armed = null;
  show(note, false);
}

/** @param {Asked} asked @param {string} from */
function takeOver(asked, from) {
  draft.asked = asked;
  prompts.draw();
  drawTiles();
  reading.draw();
  changed();
  swap(byId("taken-over", HTMLElement), from);
}

function wireFields() {
  for (const [name, field] of Object.entries(fields)) {
    const own = /** @type {"list" | "name" | "priority" | "klass" | "team"} */ (name);
    field.value = draft[own];
    field.addEventListener("input", () => {
      draft[own] = field.value;
      changed();
      if (own !== "team") return;
      drawPlaces();
      prompts.draw();
    });
  }
  byId("pick-list", HTMLElement).addEventListener("click", () => byId("list-file", HTMLElement).click());
  byId("list-file", HTMLInputElement).addEventListener("change", async (event) => {
    const file = /** @type {HTMLInputElement} */ (event.target).files?.[0];
    if (!file) return;
    fields.list.value = draft.list = await file.text();
    changed();
  });
}

async function wireTeams() {
  const mine = await ownTeams();
  fields.team.append(...mine.map((one) => el("option", { value: one.id }, one.name)));
  show(byId("team-field", HTMLElement), mine.length > 1);
  if (!mine.some((one) => one.id === draft.team)) draft.team = mine.length > 1 ? mine[0]?.id ?? "" : "";
  fields.team.value = draft.team;
  onlyTeam = mine[0]?.id ?? "";
  prompts.draw();
  await lookAtPlaces();
}

async function lookAtPlaces() {
  try {
    granted = await placesOf();
  } catch (error) {
    refusePlaces(error);
    return;
  }
  if (whole?.places.length && !draft.places.length) {
    const chosen = chosenOf(whole.places, granted);
    draft.places = chosen ?? [];
    if (!chosen) sayWhole(whole.name, true);
  }
  drawPlaces();
  sum();
}

function drawPlaces() {
  if (!granted) return;
  const here = granted.filter((one) => !draft.team || one.team === draft.team);
  drawPlaceChoices(here, draft.places, (chosen) => {
    draft.places = chosen;
    changed();
  });
}

function wirePrompts() {
  wireTakenFrom(takeOver);
  if (tried) takeOver(readSpec({ prompts: tried.prompts, tiles: tried.tiles, glossary: tried.glossary }, tried.reading), t("prompts.from_try"));
  if (whole) sayWhole(whole.name, whole.lost);
}

/**
 * Why the batch cannot be made yet; empty: it can.
 *
 * @param {number | null} [sample] As `go`'s.
 */
function missing(sample = null) {
  const twice = namedTwice(draft.asked.prompts);
  if (twice.length) return t("prompts.twice", { name: twice[0] });
  if (!draft.asked.prompts.length) return t("new.no_prompts");
  if (draft.source === "list" && addresses(draft.list).length > MAX_LIST) return t("list.too_many", { count: MAX_LIST });
  if (draft.klass === "now" && Math.min(picturesIn(draft, upload.queue) ?? 0, sample ?? Infinity) > MAX_NOW) return t("new.too_many_now", { count: MAX_NOW });
  if (upload.queue?.busy && draft.source === "upload") return "";
  if (upload.queue?.count("failed") && draft.source === "upload") return t("new.not_sent");
  return sourceAsked(draft, upload.queue) ? "" : t(`new.no.${draft.source}`);
}

/** Show the name that the batch gets if nobody gives it one. */
function propose() {
  const here = proposedName([...upload.queue?.items.keys() ?? [], ...draft.brought.map((one) => one.file)]);
  // Until an earlier upload is read again, what was proposed stays: the request is the same.
  if (here && here !== draft.proposed) {
    Object.assign(draft, { proposed: here, key: newKey() });
    keepDraft(draft);
  }
  fields.name.placeholder = (draft.source === "upload" && draft.proposed) || t("new.name_hint");
}

/** Draw what stands beside the form. */
function sum() {
  propose();
  const images = picturesIn(draft, upload.queue), busy = draft.source === "upload" && Boolean(upload.queue?.busy);
  drawSum(draft, images, pool);
  const why = missing();
  start.disabled = Boolean(why) || sending || Boolean(armed);
  few.disabled = Boolean(missing(SAMPLE)) || sending || Boolean(armed);
  // Of few pictures, or where nobody may wait for so many, there is nothing to look at before.
  show(byId("few-box", HTMLElement), (images === null || images > SAMPLE) && draft.klass !== "now");
  swap(start, busy ? t("new.start_later") : t("new.start"));
  swap(byId("why-not", HTMLElement), why);
  const steps = [Boolean(sourceAsked(draft, upload.queue)), draft.asked.prompts.length > 0, true, true];
  document.querySelectorAll(".step").forEach((step, at) => step.classList.toggle("is-done", steps[at]));
}

/**
 * Make the batch.
 *
 * @param {number | null} sample Of so many pictures alone; null: of all.
 */
async function go(sample) {
  disarm();
  const from = sourceAsked(draft, upload.queue);
  if (sending || !from || missing(sample)) return sum();
  sending = true;
  sum();
  const given = draft.name.trim() || (draft.source === "upload" ? draft.proposed : "");
  const name = given && sample ? `${given}${suffix()}` : given;
  /** @type {import("./new-batch-send.js").OnWait} */
  const onwait = (done, away) => tell("clock", away ? "bad" : "quiet", away ? explain(away) : t("new.loading", { count: done }));
  try {
    const id = await send(draft, { source: from, name, sample, onwait });
    if (sample) keepSampled(id, draft);
    upload.used();
    keepDraft({ ...newDraft(), team: draft.team });
    location.assign(`${root}/batches/${id}`);
  } catch (error) {
    sending = false;
    tell("warn", "bad", explain(error));
    sum();
  }
}

/**
 * Say how it stands with the request.
 *
 * @param {string} sign
 * @param {"quiet" | "bad"} kind
 * @param {string} words
 */
function tell(sign, kind, words) {
  swap(note, icon(sign), el("p", {}, words));
  note.className = `note note--${kind}`;
  show(note, true);
}

/** @param {number | null} sample As `go`'s. */
function begin(sample) {
  if (draft.source !== "upload" || !upload.queue?.busy) return void go(sample);
  armed = { sample };
  tell("clock", "quiet", t("new.armed"));
  sum();
}

byId("form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  begin(null);
});
few.addEventListener("click", () => begin(SAMPLE));
on(globalThis, "beforeunload", (event) => {
  if (upload.queue?.busy) event.preventDefault();
});
swap(few, t("sample.first", { count: SAMPLE }));
swap(byId("class-hint", HTMLElement), t("new.class_hint", { count: MAX_NOW }));
wireSource(draft, changed);
brought.draw();
wireFields();
wirePrompts();
// The page begins anew where nobody knows whose it is.
wireTeams().catch(() => {});
onBack(() => granted ?? lookAtPlaces());
// Without an answer the form says "usual", which is as true.
askUsual().then(reading.draw, () => {});
onPool((now) => {
  pool = now;
  sum();
});
sum();

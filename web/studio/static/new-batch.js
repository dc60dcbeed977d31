// @ts-check
/** The form for a new batch: pictures, prompts, what counts, name; kept while somebody types. */

import { ApiError, explain, get, newKey, post, root } from "./api.js";
import { proposedName } from "./batch-name.js";
import { carried } from "./carry.js";
import { byId, el, icon, on, show, swap } from "./dom.js";
import { keepDraft, newDraft, readDraft } from "./new-batch-draft.js";
import { drawPlaceChoices, placesOf } from "./places-form.js";
import { promptList } from "./prompt-list.js";
import { usual } from "./reading.js";
import { readingForm } from "./reading-form.js";
import { me, onPool } from "./shell.js";
import { addresses, UploadForm } from "./source-form.js";
import { namedTwice, readSpec, toSpec } from "./spec-form.js";
import { askUsual } from "./usual-reading.js";
import { count, duration, t } from "./words.js";

/**
 * @import { Asked } from "./spec-form.js"
 * @import { Place } from "./places-form.js"
 * @import { Draft } from "./new-batch-draft.js"
 * @import { PoolState } from "./shell.js"
 */

/** Images that somebody may wait for, and that are loaded at once from a list; the server's own limits. */
const MAX_NOW = 100, MAX_LIST = 100000;

const draft = readDraft();
const fields = {
  list: byId("list", HTMLTextAreaElement),
  name: byId("name", HTMLInputElement),
  priority: byId("priority", HTMLSelectElement),
  klass: byId("class", HTMLSelectElement),
  team: byId("team", HTMLSelectElement),
};
const start = byId("start", HTMLButtonElement), note = byId("start-note", HTMLElement);

/** Pressed while files are on their way: the batch is made when they are there. */
let armed = false;
let sending = false;

/** @type {PoolState | null} */
let pool = null;

/** @type {Place[]} */
let granted = [];

const prompts = promptList({ prompts: () => draft.asked.prompts, onchange: changed });
const reading = readingForm({
  reading: () => draft.asked.reading,
  onchange: changed,
  noOverlap: t("reading.usual"),
  usualOverlap: () => usual().max_overlap,
});
byId("prompt-list", HTMLElement).append(prompts.element);
byId("reading", HTMLElement).append(reading.element);
const upload = new UploadForm(() => {
  sum();
  if (armed && upload.queue && !upload.queue.busy) go();
});

/** Something was typed: another request than before. */
function changed() {
  draft.key = newKey();
  keepDraft(draft);
  disarm();
  sum();
}

function disarm() {
  armed = false;
  show(note, false);
}

/** @param {Asked} asked @param {string} from */
function takeOver(asked, from) {
  draft.asked = asked;
  prompts.draw();
  reading.draw();
  changed();
  swap(byId("taken-over", HTMLElement), from);
}

function wireSource() {
  document.querySelectorAll("input[name=source]").forEach((one) => {
    const field = /** @type {HTMLInputElement} */ (one);
    field.checked = field.value === draft.source;
    field.addEventListener("change", () => {
      draft.source = /** @type {Draft["source"]} */ (field.value);
      changed();
      showSource();
    });
  });
  showSource();
}

function showSource() {
  for (const name of ["upload", "places", "list"]) show(byId(`source-${name}`, HTMLElement), name === draft.source);
}

function wireFields() {
  for (const [name, field] of Object.entries(fields)) {
    const own = /** @type {"list" | "name" | "priority" | "klass" | "team"} */ (name);
    field.value = draft[own];
    field.addEventListener("input", () => {
      draft[own] = field.value;
      changed();
      if (own === "team") drawPlaces();
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
  const { teams } = await me;
  const mine = teams.filter((one) => one.role !== "viewer");
  fields.team.append(...mine.map((one) => el("option", { value: one.id }, one.name)));
  show(byId("team-field", HTMLElement), mine.length > 1);
  if (!mine.some((one) => one.id === draft.team)) draft.team = mine.length > 1 ? mine[0]?.id ?? "" : "";
  fields.team.value = draft.team;
  granted = await placesOf().catch(() => []);
  drawPlaces();
}

function drawPlaces() {
  const here = granted.filter((one) => !draft.team || one.team === draft.team);
  drawPlaceChoices(here, draft.places, (chosen) => {
    draft.places = chosen;
    changed();
  });
}

function wirePrompts() {
  byId("spec-file", HTMLInputElement).addEventListener("change", async (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target), file = field.files?.[0];
    if (!file) return;
    try {
      const { spec } = await post("/api/v1/specs", { text: await file.text() });
      takeOver(readSpec(spec), t("prompts.from_file", { name: file.name }));
    } catch (error) {
      swap(byId("taken-over", HTMLElement), el("span", { class: "hint--bad", role: "alert" }, explain(error)));
    }
    field.value = "";
  });
  byId("pick-spec", HTMLElement).addEventListener("click", () => byId("spec-file", HTMLElement).click());
  const earlier = byId("earlier", HTMLSelectElement);
  get("/api/v1/batches", { query: { limit: 50 } }).then(({ batches }) => {
    earlier.append(...batches.map((/** @type {any} */ one) => el("option", { value: one.id }, one.name)));
    show(byId("earlier-field", HTMLElement), batches.length > 0);
  }).catch(() => {});
  earlier.addEventListener("change", async () => {
    if (!earlier.value) return;
    const { spec, reading: how, name } = await get(`/api/v1/batches/${earlier.value}`);
    takeOver(readSpec(spec, how), t("prompts.from_batch", { name }));
    earlier.value = "";
  });
  const brought = carried();
  if (brought) takeOver(readSpec({ prompts: brought.prompts }, brought.reading), t("prompts.from_try"));
}

/** The source as the API takes it; null where there is none yet. */
function source() {
  if (draft.source === "upload") {
    const { id, images, manifest } = upload.queue ?? {};
    if (manifest) return { manifest: { upload: id, file: manifest } };
    return images ? { uploads: [id] } : null;
  }
  if (draft.source === "places") {
    const places = draft.places.map(({ place, below }) => `s3://${place}${below.replace(/^\/+/, "")}`);
    return places.length ? { places } : null;
  }
  const images = addresses(draft.list);
  return images.length ? { images } : null;
}

/** Pictures as far as they can be counted before the batch is made. */
function pictures() {
  if (draft.source === "upload") return upload.queue?.manifest ? null : upload.queue?.images ?? 0;
  return draft.source === "list" ? addresses(draft.list).length : null;
}

/** Why the batch cannot be made yet; empty: it can. */
function missing() {
  const twice = namedTwice(draft.asked.prompts);
  if (twice.length) return t("prompts.twice", { name: twice[0] });
  if (!draft.asked.prompts.length) return t("new.no_prompts");
  if (draft.source === "list" && addresses(draft.list).length > MAX_LIST) return t("list.too_many", { count: MAX_LIST });
  if (draft.klass === "now" && (pictures() ?? 0) > MAX_NOW) return t("new.too_many_now", { count: MAX_NOW });
  if (upload.queue?.busy && draft.source === "upload") return "";
  return source() ? "" : t(`new.no.${draft.source}`);
}

/** Show the name that the batch gets if nobody gives it one. */
function propose() {
  const here = proposedName([...upload.queue?.items.keys() ?? []]);
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
  const images = pictures(), busy = draft.source === "upload" && Boolean(upload.queue?.busy);
  const speed = pool?.workers.reduce((all, one) => all + (one.images_per_s ?? 0), 0) ?? 0;
  const ahead = pool?.queue.filter((one) => one.class === draft.klass) ?? [];
  const waiting = ahead.reduce((all, one) => all + one.images, 0);
  const rows = [
    ["sum.pictures", images === null ? t("sum.unknown") : count(images)],
    ["sum.prompts", count(draft.asked.prompts.length)],
    ["sum.ahead", t("images", { count: waiting })],
    ...(speed && images ? [["sum.takes", t("sum.about", { time: duration(Math.max(1, images / speed)) })]] : []),
  ];
  byId("sum", HTMLElement).replaceChildren(
    ...rows.flatMap(([key, value]) => [el("dt", {}, t(String(key))), el("dd", {}, value)]),
  );
  const why = missing();
  start.disabled = Boolean(why) || sending || armed;
  swap(start, busy ? t("new.start_later") : t("new.start"));
  swap(byId("why-not", HTMLElement), why);
  const steps = [Boolean(source()), draft.asked.prompts.length > 0, true, true];
  document.querySelectorAll(".step").forEach((step, at) => step.classList.toggle("is-done", steps[at]));
}

/** Make the batch; with the same key as long as nothing was changed. */
async function go() {
  armed = false;
  const from = source();
  if (sending || !from || missing()) return sum();
  sending = true;
  sum();
  const { asked, priority, klass, team, key } = draft;
  const name = draft.name.trim() || (draft.source === "upload" ? draft.proposed : "");
  const body = { spec: toSpec(asked), source: from, name, priority, class: klass, ...(team ? { team } : {}) };
  try {
    const made = await post("/api/v1/batches", body, { key });
    const id = made.id ?? await loaded(made.task);
    upload.used();
    keepDraft({ ...newDraft(), team });
    location.assign(`${root}/batches/${id}`);
  } catch (error) {
    sending = false;
    swap(note, icon("warn"), el("p", {}, explain(error)));
    note.className = "note note--bad";
    show(note, true);
    sum();
  }
}

/**
 * Wait until the clerk made a large batch; the answer is its id.
 *
 * @param {string} task
 */
async function loaded(task) {
  for (;;) {
    const found = await get(`/api/v1/tasks/${task}`);
    const done = found.progress?.done ?? found.progress?.images ?? 0;
    swap(note, icon("clock"), el("p", {}, t("new.loading", { count: done })));
    note.className = "note note--quiet";
    show(note, true);
    if (found.state === "done") return found.batch ?? found.result?.batch;
    if (found.state === "failed" || found.state === "cancelled") {
      throw new ApiError(422, "refused", found.error ?? found.state);
    }
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
}

byId("form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  if (draft.source !== "upload" || !upload.queue?.busy) return void go();
  armed = true;
  swap(note, icon("clock"), el("p", {}, t("new.armed")));
  note.className = "note note--quiet";
  show(note, true);
  sum();
});
on(globalThis, "beforeunload", (event) => {
  if (upload.queue?.busy) event.preventDefault();
});
swap(byId("class-hint", HTMLElement), t("new.class_hint", { count: MAX_NOW }));
wireSource();
wireFields();
wirePrompts();
wireTeams();
// Without an answer the form says "usual", which is as true.
askUsual().then(reading.draw, () => {});
onPool((now) => {
  pool = now;
  sum();
});
sum();

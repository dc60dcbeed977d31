// @ts-check
/** The list of batches: filtered, searched, ordered, and live. */

import { explain, get, root } from "./api.js";
import { ACTS } from "./batch-acts.js";
import { redraw } from "./batch-row.js";
import { byId, el, icon, show, swap } from "./dom.js";
import { onBatches } from "./events.js";
import { addKeys } from "./keys.js";
import { setQuery } from "./query.js";
import { me, onBack, whileSeen } from "./shell.js";
import { openTrash } from "./trash.js";
import { t } from "./words.js";

/** @import { Batch } from "./batch-parts.js" */

/** Milliseconds after the last key before a search is asked for. */
const SETTLE = 250;

/** Milliseconds between two looks at what no event tells: batches that ended are renamed, too. */
const LOOK = 8000;

/** States of the API behind each choice. @type {Record<string, string[]>} */
const STATES = { all: [], running: ["loading", "active"], paused: ["paused"], ended: ["done", "cancelled"] };

const rows = byId("rows", HTMLElement), note = byId("list-note", HTMLElement);
const search = byId("search", HTMLInputElement), owner = byId("owner", HTMLSelectElement);
const order = byId("order", HTMLSelectElement), more = byId("more", HTMLButtonElement);

/** @type {Map<string, {batch: Batch, row: HTMLTableRowElement}>} In the order of the list. */
const shown = new Map();

/** @type {string | null} */
let next = null;

/** Counts questions: the answer to an old one is thrown away. */
let asked = 0;

/** What is chosen; it stands in the address, so that a reload and a link keep it. */
function chosen() {
  const query = new URLSearchParams(location.search);
  const show = query.get("show") ?? "all";
  return {
    show: show in STATES || show === "trash" ? show : "all",
    name: query.get("name") ?? "",
    mine: query.get("owner") === "me",
    order: query.get("order") ?? "newest",
  };
}

/** @param {Record<string, string>} some Empty: as usual. */
function choose(some) {
  setQuery(some);
  load();
}

async function load() {
  const now = ++asked;
  const { show: which } = chosen();
  const trash = which === "trash";
  show(byId("list", HTMLElement), !trash);
  show(byId("trash", HTMLElement), trash);
  // The trash is not searched: what does nothing there is not shown.
  show(byId("list-tools", HTMLElement), !trash);
  if (trash) {
    openTrash(byId("trash", HTMLElement));
    return;
  }
  try {
    const page = await ask(null);
    if (now !== asked) return;
    shown.clear();
    rows.replaceChildren();
    page.batches.forEach((/** @type {Batch} */ batch) => put(batch));
    turnOver(page.next);
    say();
  } catch (error) {
    if (now === asked) fail(error);
  }
}

/** @param {string | null} after */
async function ask(after) {
  const { show: which, name, mine, order: by } = chosen();
  const query = {
    state: STATES[which],
    name: name || null,
    owner: mine ? (await me).name : null,
    order: by === "newest" ? null : by,
    after,
    limit: 50,
  };
  return get("/api/v1/batches", { query });
}

/** @param {string | null} after */
function turnOver(after) {
  next = after;
  show(more, next !== null);
}

/** @param {unknown} error */
function fail(error) {
  const again = el("button", { class: "btn", type: "button", onclick: load }, t("again"));
  swap(note, icon("warn"), el("p", {}, explain(error)), again);
  show(note, true);
}

/** Say why there is nothing to see. */
function say() {
  show(note, shown.size === 0);
  show(byId("head", HTMLElement), shown.size > 0);
  if (shown.size) return;
  const { show: which, name, mine } = chosen();
  if (name || mine || which !== "all") {
    const clear = el("button", { class: "btn", type: "button", onclick: forget }, t("batches.clear"));
    swap(note, icon("search"), el("p", {}, t("batches.none_here")), clear);
    return;
  }
  const go = el("a", { class: "btn btn--primary", href: `${root}/batches/new` }, icon("plus"), t("batches.new"));
  swap(note, icon("layers"), el("h2", {}, t("batches.none")), el("p", {}, t("batches.none_more")), go);
}

function forget() {
  search.value = "";
  choose({ show: "", name: "", owner: "" });
  mark();
}

/**
 * @param {Batch} batch
 * @param {boolean} [first] Above all others.
 */
function put(batch, first = false) {
  const known = shown.get(batch.id);
  const open = known?.row.querySelector("details[open]");
  // A menu that somebody has open, and whatever has the focus, stays.
  if (known && (open || known.row.contains(document.activeElement))) {
    known.batch = batch;
    redraw(known.row, batch);
    return;
  }
  const row = el("tr", {});
  redraw(row, batch);
  row.append(el("td", { class: "acts-cell" }, menu(batch)));
  if (known) known.row.replaceWith(row);
  else if (first) rows.prepend(row);
  else rows.append(row);
  shown.set(batch.id, { batch, row });
}

/** @param {Batch} batch */
function menu({ id, name }) {
  const list = el("div", { class: "menu__list" });
  const details = el(
    "details",
    { class: "menu" },
    el("summary", { class: "btn btn--icon btn--ghost", "aria-label": t("batches.acts_of", { name }) }, icon("more")),
    list,
  );
  // Made when it opens: what can be done changes.
  details.addEventListener("toggle", () => {
    const batch = shown.get(id)?.batch;
    if (details.open && batch) list.replaceChildren(...acts(batch));
  });
  return details;
}

/** @param {Batch} batch */
function acts(batch) {
  return ACTS.filter((act) => act.when(batch)).map((act) =>
    el("button", {
      type: "button",
      class: act.danger ? "btn--danger" : "",
      onclick: () => act.run(batch).then((done) => done && again(batch, act.name), (error) => tell(batch, error)),
    }, icon(act.icon), t(`batch.${act.name}`))
  );
}

/**
 * @param {Batch} batch
 * @param {string} what
 */
async function again(batch, what) {
  if (what === "delete") {
    shown.get(batch.id)?.row.remove();
    shown.delete(batch.id);
    say();
    return;
  }
  put(await get(`/api/v1/batches/${batch.id}`));
}

/**
 * Say in a batch's own row what was refused.
 *
 * @param {Batch} batch
 * @param {unknown} error
 */
function tell(batch, error) {
  const small = shown.get(batch.id)?.row.querySelector("small");
  if (small) swap(small, el("span", { class: "hint--bad", role: "alert" }, explain(error)));
}

/** Take up what somebody else did to batches of the first page; what follows it stays. */
async function refresh() {
  if (chosen().show === "trash") return;
  const now = asked, before = [...shown.keys()];
  /** @type {{batches: Batch[], next: string | null}} */
  const page = await ask(null);
  if (now !== asked) return;
  const there = new Set(page.batches.map((one) => one.id));
  page.batches.filter(changed).forEach((one) => put(one));
  if (page.next !== null) return;
  // What came while it was asked may be missing in the answer.
  for (const id of before.filter((one) => !there.has(one))) {
    shown.get(id)?.row.remove();
    shown.delete(id);
  }
  say();
}

/** @param {Batch} batch Whether its row shows something else; one without a row is no change. */
function changed(batch) {
  const known = shown.get(batch.id)?.batch;
  return known && (known.name !== batch.name || known.state !== batch.state);
}

/** Let the controls show what is chosen. */
function mark() {
  const { show: which, name, mine, order: by } = chosen();
  document.querySelectorAll("input[name=show]").forEach((one) => {
    if (one instanceof HTMLInputElement) one.checked = one.value === which;
  });
  if (document.activeElement !== search) search.value = name;
  owner.value = mine ? "me" : "";
  order.value = by;
}

/** @param {Batch[]} batches That go on. */
function hear(batches) {
  const { show: which, name, mine } = chosen();
  const fits = (/** @type {Batch} */ one) => !STATES[which]?.length || STATES[which].includes(one.state);
  const plain = !name && !mine && order.value === "newest" && which !== "trash";
  const fresh = batches.filter((one) => !shown.has(one.id) && plain && fits(one));
  batches.filter((one) => shown.has(one.id)).forEach((one) => put(one));
  fresh.sort((one, other) => one.created_at.localeCompare(other.created_at)).forEach((one) => put(one, true));
  if (fresh.length) say();
}

document.querySelectorAll("input[name=show]").forEach((one) =>
  one.addEventListener("change", () => {
    const { value } = /** @type {HTMLInputElement} */ (one);
    choose({ show: value === "all" ? "" : value });
  })
);
let timer = 0;
search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => choose({ name: search.value.trim() }), SETTLE);
});
owner.addEventListener("change", () => choose({ owner: owner.value }));
order.addEventListener("change", () => choose({ order: order.value === "newest" ? "" : order.value }));
more.addEventListener("click", async () => {
  more.disabled = true;
  const now = asked;
  try {
    const page = await ask(next);
    if (now === asked) {
      page.batches.forEach((/** @type {Batch} */ batch) => put(batch));
      turnOver(page.next);
    }
  } catch (error) {
    fail(error);
  }
  more.disabled = false;
});
addKeys(t("title.batches"), [
  { key: "c", name: t("batches.new"), run: () => location.assign(`${root}/batches/new`) },
  { key: "/", name: t("batches.search"), run: () => search.focus() },
]);
mark();
load().then(() => onBatches((batches) => hear(/** @type {Batch[]} */ (batches))));
whileSeen(refresh, LOOK);
onBack(load);

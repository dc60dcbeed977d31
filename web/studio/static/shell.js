// @ts-check
/**
 * What every page with a header has: who is logged in, menus, keys, and the lines that say that
 * the server cannot be reached, that nobody works, or that the model is the demo.
 */

import { address, ApiError, explain, get, remove, root } from "./api.js";
import { wireChoices } from "./choices.js";
import { el, swap } from "./dom.js";
import { wireKeys } from "./keys.js";
import { line } from "./lines.js";
import { fill, t } from "./words.js";

/**
 * @typedef {{id: string, name: string, role: string}} Team
 * @typedef {{name: string, admin: boolean, teams: Team[], rights: string[], by: string}} Me
 * @typedef {{id: string, name: string, model: string, device: string,
 *   images_per_s: number | null}} Worker
 * @typedef {{owner: string, class: "now" | "bulk", batches: number, images: number}} Waiting
 * @typedef {{workers: Worker[], queue: Waiting[], idle: string[], flower: string | null}} PoolState
 */

/** Milliseconds between two looks at a server that is away, and at the pool. */
const AGAIN = 2000, POOL_EVERY = 15000;

/** Milliseconds after which a server that does not answer is away: what stopped may still be dialled. */
const SILENT = 3000;

/** Kept in this browser: that the line was closed; and in this tab: that it was right on the last page. */
const DEMO_SEEN = "maskpool.demo-line", DEMO_LAST = "maskpool.demo";

/** Who is logged in; a page that needs it waits for it. */
export const me = /** @type {Promise<Me>} */ (get("/api/v1/session"));

/** Teams that this person may make batches for. */
export async function ownTeams() {
  return (await me).teams.filter((one) => one.role !== "viewer");
}

/** The team of a batch for which nobody chooses another; empty: of none. */
export async function ownTeam() {
  return (await ownTeams())[0]?.id ?? "";
}

/** @type {Set<(pool: PoolState) => void>} */
const poolListeners = new Set();

/** @type {PoolState | null} */
let lastPool = null;

let away = false;

/**
 * Hear how the pool is: now, and whenever it is looked at.
 *
 * @param {(pool: PoolState) => void} listener
 */
export function onPool(listener) {
  poolListeners.add(listener);
  if (lastPool) listener(lastPool);
}

/**
 * Hear that the server is there again, to catch up.
 *
 * @param {() => void} listener
 */
export function onBack(listener) {
  document.addEventListener("maskpool:back", listener);
}

/** Look at the pool and tell everybody who listens. */
export async function lookAtPool() {
  /** @type {PoolState} */
  const pool = await get("/api/v1/pool", { signal: AbortSignal.timeout(2 * SILENT) });
  lastPool = pool;
  sayPool(pool);
  poolListeners.forEach((listener) => listener(pool));
}

/**
 * Do something now and again and again while somebody looks at the page.
 *
 * @param {() => Promise<void>} work Its failures are not told: the line says that the server is away.
 * @param {number} every Milliseconds.
 */
export function whileSeen(work, every) {
  const step = () => (document.hidden ? Promise.resolve() : work().catch(() => {}));
  const again = () => step().finally(() => setTimeout(again, every));
  again();
  document.addEventListener("visibilitychange", () => document.hidden || step());
}

/** @param {PoolState} pool */
function sayPool(pool) {
  const nobody = pool.workers.length === 0;
  line("idle", idleWords(nobody, pool.idle.length > 0));
  const demo = !nobody && pool.workers.every((one) => one.model === "demo");
  if (demo) sessionStorage.setItem(DEMO_LAST, "1");
  else sessionStorage.removeItem(DEMO_LAST);
  sayDemo(demo);
}

/** @param {boolean} demo Whether no worker has another model. */
function sayDemo(demo) {
  // Try says it beside its prompts.
  const elsewhere = document.documentElement.dataset.page !== "try";
  const told = localStorage.getItem(DEMO_SEEN) === "1";
  const close = () => {
    localStorage.setItem(DEMO_SEEN, "1");
    line("demo", null);
  };
  line("demo", demo && elsewhere && !told ? demoWords() : null, { quiet: true, onclose: close });
}

/**
 * @param {boolean} noWorker
 * @param {boolean} noDispatcher
 */
function idleWords(noWorker, noDispatcher) {
  if (noWorker && noDispatcher) return [t("line.nobody")];
  if (noDispatcher) return [t("line.no_dispatcher")];
  return noWorker ? [t("line.no_worker")] : null;
}

function demoWords() {
  const link = el("a", { href: `${root}/try` }, t("line.demo_link"));
  return fill("line.demo", { link });
}

function wireReach() {
  document.addEventListener("maskpool:lost", lose);
  document.addEventListener("maskpool:doubt", async () => {
    if (!away && !(await answers())) lose();
  });
  addEventListener("offline", lose);
}

/** Whether the server answers now. */
function answers() {
  const how = /** @type {RequestInit} */ ({ cache: "no-store", signal: AbortSignal.timeout(SILENT) });
  return fetch(address("/healthz"), how).then((answer) => answer.ok, () => false);
}

function lose() {
  if (away) return;
  away = true;
  line("offline", [t("line.offline")]);
  setTimeout(knock, AGAIN);
}

async function knock() {
  if (!(await answers())) {
    setTimeout(knock, AGAIN);
    return;
  }
  away = false;
  line("offline", null);
  document.dispatchEvent(new Event("maskpool:back"));
}

function wireMenus() {
  const menus = /** @type {NodeListOf<HTMLDetailsElement>} */ (
    document.querySelectorAll("details.menu")
  );
  document.addEventListener("click", (event) => closeMenus(event.target));
  document.addEventListener("click", chosen, { capture: true });
  document.addEventListener("focusin", (event) => closeMenus(event.target));
  document.addEventListener("keydown", (event) => {
    const open = [...menus].find((menu) => menu.open);
    if (event.key !== "Escape" || !open) return;
    open.open = false;
    open.querySelector("summary")?.focus();
  });
}

/**
 * Close the menu in which something is chosen. Its button gets the focus before the choice acts, so
 * that a dialog gives the focus back to what is still to be seen. The theme is chosen in turns.
 *
 * @param {MouseEvent} event
 */
function chosen({ target }) {
  const item = target instanceof Element ? target.closest("details.menu .menu__list button") : null;
  const menu = item?.closest("details");
  if (!(item instanceof HTMLElement) || !menu || item.dataset.do === "theme") return;
  menu.querySelector("summary")?.focus();
  menu.open = false;
}

/** @param {EventTarget | null} at Menus around it stay open. */
function closeMenus(at) {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!(at instanceof Node && menu.contains(at))) menu.removeAttribute("open");
  });
}

async function wireAccount() {
  document.querySelectorAll("[data-do=log-out]").forEach((button) =>
    button.addEventListener("click", async () => {
      try {
        await remove("/api/v1/session", { quiet: true });
      } catch (error) {
        // The login page would say that this browser is logged out, and the next person finds it logged in.
        if (!(error instanceof ApiError && error.status === 401)) return line("stays", [t("line.still_in"), " ", explain(error)]);
      }
      location.assign(address("/login"));
    })
  );
  const { name } = await me;
  document.querySelectorAll(".account__name").forEach((label) => swap(label, name));
  document.querySelectorAll(".avatar").forEach((label) => swap(label, initials(name)));
  document.querySelectorAll("summary.account").forEach((one) =>
    one.setAttribute("aria-label", t("shell.account_of", { name }))
  );
}

/**
 * Two letters that stand for somebody.
 *
 * @param {string} name
 */
function initials(name) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? words.slice(0, 2).map((word) => [...word][0]) : [...name].slice(0, 2);
  return letters.join("").toUpperCase();
}

wireChoices();
wireKeys();
wireMenus();
wireReach();
// A page that never knew whose it is begins anew; what was typed is kept.
wireAccount().catch(() => onBack(() => location.reload()));
// Known from the page before; a line that came later would push the page down under a finger.
sayDemo(sessionStorage.getItem(DEMO_LAST) === "1");
whileSeen(lookAtPool, POOL_EVERY);
onBack(() => lookAtPool().catch(() => {}));


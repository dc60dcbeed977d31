// @ts-check
/** On a phone the panel is a sheet with three heights: dragged, or set by its handle's button. */

import { byId, on } from "./dom.js";
import { t } from "./words.js";

/** The handle alone; beside the picture; over it. */
const HEIGHTS = ["peek", "half", "full"];

/** Share of the window that the picture has beside the sheet, as in the stylesheet. */
const STAGE = 0.38;

/** Pixels from which on a press is a drag. */
const STILL = 6;

export function wireSheet() {
  const main = byId("main", HTMLElement), stage = byId("stage", HTMLElement);
  const handle = byId("sheet", HTMLButtonElement);
  const panel = /** @type {HTMLElement} */ (handle.parentElement);
  let at = 1;
  /** @type {{y: number, stage: number, room: number, moved: boolean} | null} */
  let drag = null;
  let dragged = false, wired = false;
  const set = (/** @type {number} */ to) => {
    at = Math.min(HEIGHTS.length - 1, Math.max(0, to));
    const name = HEIGHTS[at] ?? "half";
    main.dataset.sheet = name;
    main.style.removeProperty("--stage");
    // At first it is there anyway, and to scroll lays the page out.
    if (wired) panel.scrollTop = 0;
    handle.setAttribute("aria-expanded", String(name !== "peek"));
    handle.setAttribute("aria-label", t(`sheet.${name}`));
  };
  on(handle, "click", () => {
    if (!dragged) set((at + 1) % HEIGHTS.length);
    dragged = false;
  });
  on(handle, "keydown", (event) => {
    const way = { ArrowUp: 1, ArrowDown: -1 }[/** @type {string} */ (event.key)];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    set(at + way);
  });
  on(handle, "pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    dragged = false;
    const room = stage.offsetHeight + panel.offsetHeight - handle.offsetHeight;
    drag = { y: event.clientY, stage: stage.offsetHeight, room, moved: false };
  });
  on(handle, "pointermove", (event) => {
    const way = drag ? event.clientY - drag.y : 0;
    if (!drag || (!drag.moved && Math.abs(way) < STILL)) return;
    drag.moved = true;
    main.dataset.sheet = "drag";
    main.style.setProperty("--stage", `${Math.round(Math.min(drag.room, Math.max(0, drag.stage + way)))}px`);
  });
  const end = (/** @type {PointerEvent} */ event) => {
    const { moved, room, stage: high, y } = drag ?? { moved: false, room: 0, stage: 0, y: 0 };
    drag = null;
    if (!moved) return;
    dragged = true;
    set(nearest(high + event.clientY - y, [room, STAGE * innerHeight, 0]));
  };
  on(handle, "pointerup", end);
  on(handle, "pointercancel", () => {
    drag = null;
    set(at);
  });
  set(at);
  wired = true;
}

/**
 * The place of what comes next to a value.
 *
 * @param {number} value
 * @param {number[]} among
 */
function nearest(value, among) {
  const away = among.map((one) => Math.abs(one - value));
  return away.indexOf(Math.min(...away));
}

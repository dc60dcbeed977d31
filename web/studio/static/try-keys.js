// @ts-check
/** Tools, buttons and keys of Try: each act has one name, a button and a key. */

import { byId, on } from "./dom.js";
import { addKeys } from "./keys.js";
import { t } from "./words.js";

/** @typedef {import("./gestures.js").Tool} Tool */
/** @typedef {import("./mask-canvas.js").MaskCanvas} MaskCanvas */
/** @typedef {Record<string, () => void>} Acts */

/** @type {[Tool, string][]} */
const TOOLS = [["select", "v"], ["add", "p"], ["take", "n"], ["box", "o"], ["move", "h"]];

/** Told on the document once another tool is taken up. */
export const TOOL = "maskpool:tool";

/**
 * @param {MaskCanvas} canvas
 * @param {Acts} acts By name: undo, redo, reset, pick, …
 * @param {import("./work.js").Work} work
 */
export function wireKeys(canvas, acts, work) {
  const has = () => work.picture !== null;
  on(document, "click", (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-act], [data-tool]") : null;
    if (!(target instanceof HTMLButtonElement)) return;
    if (target.dataset.tool) setTool(canvas, /** @type {Tool} */ (target.dataset.tool));
    else acts[target.dataset.act ?? ""]?.();
  });
  const key = (/** @type {string} */ key, /** @type {string} */ act, more = {}) => ({
    key,
    name: t(`keys.${act}`),
    run: () => acts[act]?.(),
    when: has,
    ...more,
  });
  addKeys(
    t("keys.tools"),
    TOOLS.map(([tool, letter]) => ({ key: letter, name: t(`tool.${tool}`), run: () => setTool(canvas, tool), when: has })),
  );
  addKeys(t("keys.masks"), [
    key("ArrowUp", "mask_before"),
    key("ArrowDown", "mask_after"),
    key("e", "fix"),
    key("x", "leave_out"),
    key("l", "rename"),
    key("z", "undo"),
    key("y", "redo"),
    key("z", "undo", { ctrl: true, shift: false, untold: true }),
    key("z", "redo", { ctrl: true, shift: true, untold: true }),
    key("y", "redo", { ctrl: true, untold: true }),
    key("r", "reset"),
    key("Escape", "let_go"),
  ]);
  addKeys(t("keys.picture"), [
    { key: " ", name: t("keys.grab"), run: () => (canvas.grabs = true), release: () => (canvas.grabs = false), when: has },
    { key: "m", name: t("keys.veil"), run: () => canvas.veil(true), release: () => canvas.veil(false), when: has },
    key("0", "fit"),
    key("+", "larger"),
    key("-", "smaller"),
    key("ArrowLeft", "previous"),
    key("ArrowRight", "next"),
  ]);
  addKeys(t("keys.asking"), [
    { key: "/", name: t("keys.add"), run: () => byId("add", HTMLInputElement).focus() },
    key("[", "lower"),
    key("]", "higher"),
    { key: "c", name: t("try.use"), run: () => acts.batch?.() },
  ]);
  setTool(canvas, "select");
}

/**
 * @param {MaskCanvas} canvas
 * @param {Tool} tool
 */
export function setTool(canvas, tool) {
  canvas.tool = tool;
  document.dispatchEvent(new Event(TOOL));
  document.querySelectorAll("button[data-tool]").forEach((one) =>
    one.setAttribute("aria-pressed", String(one.getAttribute("data-tool") === tool))
  );
}

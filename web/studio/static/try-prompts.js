// @ts-check
/** The list of prompts with what they must not be, and the field that adds one. */

import { byId, el, icon, iconButton, on, onEnter, show, swap } from "./dom.js";
import { later } from "./later.js";
import { freeSlot, look } from "./palette.js";
import { clean, MOST, parse } from "./prompts.js";
import { onPool } from "./shell.js";
import { number, t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./prompts.js").Prompt} Prompt */

/** What the demo model knows, to begin with. */
const KNOWN = ["red circle", "yellow star", "green triangle", "blue square", "circle", "purple cross"];

/** @param {Work} work */
export function wirePrompts(work) {
  const add = byId("add", HTMLInputElement);
  let demo = false;
  /** Name of the prompt that a "not" is typed for. */
  let typing = "";
  on(byId("add-form", HTMLElement), "submit", (event) => {
    event.preventDefault();
    if (addPrompt(work, add.value)) add.value = "";
    work.tell("prompts");
    add.focus();
  });
  on(add, "input", () => say(""));
  const draw = () => {
    drawList(work, typing, (name) => {
      typing = name;
      draw();
      document.getElementById("add-not")?.focus();
    });
    show(byId("known", HTMLElement), demo && work.prompts.length === 0);
    show(byId("prompts-hint", HTMLElement), work.prompts.length === 0);
  };
  work.on("prompts", draw);
  work.on("items", later(() => count(work)));
  onPool((pool) => {
    demo = pool.workers.length > 0 && pool.workers.every((one) => one.model === "demo");
    draw();
  });
  swap(byId("known-prompts", HTMLElement), KNOWN.map((text) => suggestion(work, text)));
  draw();
}

/**
 * @param {Work} work
 * @param {string} text
 */
function suggestion(work, text) {
  return el("button", { class: "chip", type: "button", onclick: () => addPrompt(work, text) }, icon("plus"), text);
}

/** @param {string} sentence Empty: nothing is wrong. */
function say(sentence) {
  const fault = byId("add-fault", HTMLElement);
  swap(fault, sentence);
  show(fault, sentence !== "");
}

/**
 * @param {Work} work
 * @param {string} typed
 * @returns {boolean} Whether it was added.
 */
function addPrompt(work, typed) {
  const read = parse(typed);
  if (!read) {
    if (typed.trim()) say(t("prompts.unclear"));
    return false;
  }
  if (work.prompts.some((one) => one.name === read.name)) {
    say(t("prompts.twice", { name: read.name }));
    return false;
  }
  if (work.prompts.length >= MOST) {
    say(t("prompts.many", { count: MOST }));
    return false;
  }
  say("");
  const slot = freeSlot(work.prompts.map((one) => one.slot));
  work.setPrompts([...work.prompts, { ...read, slot, hidden: false }]);
  return true;
}

/**
 * @param {Work} work
 * @param {string} typing
 * @param {(name: string) => void} type Begin to type a "not" of a prompt; empty: end.
 */
function drawList(work, typing, type) {
  swap(byId("prompts", HTMLElement), work.prompts.map((one) => row(work, one, typing, type)));
  count(work);
}

/**
 * @param {Work} work
 * @param {Prompt} prompt
 * @param {string} typing
 * @param {(name: string) => void} type
 */
function row(work, prompt, typing, type) {
  const { name, text } = prompt;
  const change = (/** @type {Partial<Prompt>} */ by) =>
    work.setPrompts(work.prompts.map((one) => (one === prompt ? { ...one, ...by } : one)));
  const own = () => {
    work.readingFor = work.readingFor === name ? "" : name;
    work.tell("reading", "prompts");
  };
  const chosen = work.readingFor === name;
  const head = el(
    "button",
    { class: "prompt__name", type: "button", onclick: own, "aria-pressed": String(chosen), title: t("prompts.choose") },
    el("b", {}, name),
    name !== text && el("code", {}, text),
  );
  const eye = iconButton(prompt.hidden ? "eye-off" : "eye", t(prompt.hidden ? "prompts.show" : "prompts.hide", { name }), () => {
    prompt.hidden = !prompt.hidden;
    work.judge();
    work.tell("prompts", "items");
  });
  const gone = iconButton("close", t("prompts.remove", { name }), () =>
    work.setPrompts(work.prompts.filter((one) => one !== prompt))
  );
  const adds = { class: "btn btn--ghost prompt__not", type: "button", onclick: () => type(name) };
  const not = el("button", { ...adds, "aria-label": t("prompts.not_add", { name }) }, icon("plus"), t("prompts.not"));
  const swatch = el("span", { class: `sw ${look(prompt.slot).className}` });
  const figure = el("span", { class: "num", "data-count": name });
  return el(
    "li",
    { class: `prompt${prompt.hidden ? " is-off" : ""}${chosen ? " is-own" : ""}` },
    el("div", { class: "prompt__row" }, swatch, head, figure, not, eye, gone),
    (prompt.not.length > 0 || typing === name) && nots(prompt, change, typing === name, type),
  );
}

/**
 * @param {Prompt} prompt
 * @param {(by: Partial<Prompt>) => void} change
 * @param {boolean} typing
 * @param {(name: string) => void} type
 */
function nots(prompt, change, typing, type) {
  const chips = prompt.not.map((text) =>
    el(
      "button",
      {
        class: "chip chip--not",
        type: "button",
        "aria-label": t("prompts.not_remove", { text }),
        onclick: () => change({ not: prompt.not.filter((one) => one !== text) }),
      },
      el("b", {}, t("prompts.not")),
      text,
      icon("close"),
    )
  );
  return el("div", { class: "prompt__nots" }, chips, typing && field(prompt, change, type));
}

/**
 * @param {Prompt} prompt
 * @param {(by: Partial<Prompt>) => void} change
 * @param {(name: string) => void} type
 */
function field(prompt, change, type) {
  let done = false;
  const end = (/** @type {string} */ text) => {
    if (done) return;
    done = true;
    type("");
    const one = clean(text);
    if (one && !prompt.not.includes(one)) change({ not: [...prompt.not, one] });
  };
  /** @type {HTMLInputElement} */
  const input = el("input", {
    class: "input",
    id: "add-not",
    "aria-label": t("prompts.not_add", { name: prompt.name }),
    placeholder: t("prompts.not_example"),
    autocomplete: "off",
    onblur: () => end(input.value),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape" && !event.isComposing) end("");
    },
  });
  onEnter(input, () => end(input.value));
  return input;
}

/** Say how many count of each prompt, of how many. @param {Work} work */
function count(work) {
  /** @type {Map<string, [number, number]>} */
  const counts = new Map();
  for (const item of work.items) {
    const [some = 0, all = 0] = counts.get(item.name) ?? [];
    counts.set(item.name, [some + (item.reason === "" ? 1 : 0), all + 1]);
  }
  const answered = work.picture?.answer;
  document.querySelectorAll("[data-count]").forEach((figure) => {
    const name = figure.getAttribute("data-count") ?? "";
    const [some, all] = counts.get(name) ?? [0, 0];
    const known = answered?.prompts.some((one) => one.name === name) || all > 0;
    swap(figure, known ? number(some) : "", known && all > some && el("span", { class: "muted" }, ` / ${number(all)}`));
    figure.setAttribute("title", known ? t("prompts.counts", { count: some, all }) : "");
    figure.closest(".prompt")?.classList.toggle("is-none", Boolean(known) && some === 0);
  });
}

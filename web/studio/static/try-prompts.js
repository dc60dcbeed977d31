// @ts-check
/** The list of prompts with what they must not be, and the field that adds one. */

import { byId, el, icon, iconButton, on, onEnter, show, swap } from "./dom.js";
import { later } from "./later.js";
import { freeSlot, look } from "./palette.js";
import { ApiError, explain } from "./api.js";
import { composed, mustCompose } from "./glossary.js";
import { clean, MOST, parse } from "./prompts.js";
import { onPool, ownTeam } from "./shell.js";
import { askEnglish, isSent, sentLine } from "./try-sent.js";
import { whyNothing } from "./try-why.js";
import { number, t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./prompts.js").Prompt} Prompt */

/** @typedef {{name: string, what: "not" | "sent"}} Typing */
/** @typedef {(name: string, what?: "not" | "sent") => void} Type Begin to type; an empty name: end. */

/** What the demo model knows, to begin with. */
const KNOWN = ["red circle", "yellow star", "green triangle", "blue square", "circle", "purple cross"];

/** Which of them a sample holds, if not the first. @type {Record<string, string>} */
const HOLDS = { "overlap.jpg": "yellow star", "checks.jpg": "blue square", "pink.jpg": "yellow star", "green.jpg": "blue square" };

/** @param {Work} work */
export function wirePrompts(work) {
  const add = byId("add", HTMLInputElement);
  let demo = false;
  /** What is typed beside a prompt: its "not", or another text to be sent. @type {Typing} */
  let typing = { name: "", what: "not" };
  on(byId("add-form", HTMLElement), "submit", async (event) => {
    event.preventDefault();
    const typed = add.value;
    // What is sent for Chinese is asked first; what is typed meanwhile stays.
    if ((await addPrompt(work, typed)) && add.value === typed) add.value = "";
    work.tell("prompts");
    if (!document.activeElement?.matches("[data-sent]")) add.focus();
  });
  on(add, "input", () => say(""));
  const draw = () => {
    drawList(work, typing, (name, what = "not") => {
      typing = { name, what };
      draw();
      const field = document.querySelector(what === "not" ? "#add-not" : "#prompts [data-sent]");
      if (field instanceof HTMLInputElement) field.select();
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
  /** @type {string | null} */
  let suggested = null;
  const suggest = () => {
    const first = HOLDS[work.picture?.name ?? ""] ?? "";
    // Each step to another picture tells this more than once; chips that stay are not made again.
    if (first === suggested) return;
    suggested = first;
    const texts = first ? [first, ...KNOWN.filter((one) => one !== first)] : KNOWN;
    swap(byId("known-prompts", HTMLElement), texts.map((text) => suggestion(work, text)));
  };
  work.on("pictures", suggest);
  suggest();
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
  askEnglish("");
}

/**
 * @param {Work} work
 * @param {string} typed
 * @returns {Promise<boolean>} Whether it was added.
 */
async function addPrompt(work, typed) {
  const read = parse(typed);
  if (!read) {
    if (typed.trim()) say(t("prompts.unclear"));
    return false;
  }
  if (!room(work, read.name)) return false;
  const sent = await english(read, (text) => {
    addRead(work, { ...read, text });
    const add = byId("add", HTMLInputElement);
    if (add.value === typed) add.value = "";
    add.focus();
  });
  return sent !== null && addRead(work, sent);
}

/**
 * A prompt as it is sent; null where it is refused, which is said with a field for its English.
 *
 * @template {{name: string, text: string, not: string[], said?: Record<string, string>, glossary?: string}} T
 * @param {T} read
 * @param {(text: string) => void} take The English of its text.
 * @returns {Promise<T | null>}
 */
async function english(read, take) {
  if (!mustCompose(read)) return read;
  try {
    return await composed(read, await ownTeam());
  } catch (error) {
    say(explain(error));
    const refused = error instanceof ApiError && error.params.text === read.text;
    if (refused) askEnglish(read.text, take);
    return null;
  }
}

/** Whether there is room for a prompt of this name; it is said where there is none. @param {Work} work @param {string} name */
function room(work, name) {
  const twice = work.prompts.some((one) => one.name === name);
  if (twice) say(t("prompts.twice", { name }));
  else if (work.prompts.length >= MOST) say(t("prompts.many", { count: MOST }));
  else return true;
  return false;
}

/**
 * @param {Work} work
 * @param {{name: string, text: string, not: string[]}} read
 */
function addRead(work, read) {
  if (!room(work, read.name)) return false;
  say("");
  const slot = freeSlot(work.prompts.map((one) => one.slot));
  work.setPrompts([...work.prompts, { ...read, slot, hidden: false }]);
  return true;
}

/**
 * @param {Work} work
 * @param {Typing} typing
 * @param {Type} type
 */
function drawList(work, typing, type) {
  swap(byId("prompts", HTMLElement), work.prompts.map((one) => row(work, one, typing, type)));
  count(work);
}

/**
 * @param {Work} work
 * @param {Prompt} prompt
 * @param {Typing} typing
 * @param {Type} type
 */
function row(work, prompt, typing, type) {
  const { name, text } = prompt;
  const change = (/** @type {Partial<Prompt>} */ by) =>
    work.setPrompts(work.prompts.map((one) => (one.name === name ? { ...one, ...by } : one)));
  const own = () => {
    work.readingFor = work.readingFor === name ? "" : name;
    work.tell("reading", "prompts");
  };
  const chosen = work.readingFor === name;
  const typed = (/** @type {"not" | "sent"} */ what) => typing.name === name && typing.what === what;
  const send = async (/** @type {string} */ other) => {
    const sent = await english({ ...prompt, text: other }, send);
    if (!sent) return;
    say("");
    change({ ...(sent.glossary ? { glossary: sent.glossary } : {}), text: sent.text, said: { ...prompt.said, ...sent.said } });
  };
  const head = el(
    "button",
    { class: "prompt__name", type: "button", onclick: own, "aria-pressed": String(chosen), title: t("prompts.choose") },
    el("b", {}, name),
    name !== text && !isSent(prompt) && el("code", {}, text),
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
    isSent(prompt) && sentLine(prompt, typed("sent"), (open) => type(open ? name : "", "sent"), send),
    el("p", { class: "prompt__why", "data-why": name, hidden: true }),
    (prompt.not.length > 0 || typed("not")) && nots(prompt, change, typed("not"), type),
  );
}

/**
 * @param {Prompt} prompt
 * @param {(by: Partial<Prompt>) => void} change
 * @param {boolean} typing
 * @param {Type} type
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
      prompt.said?.[text] ?? text,
      prompt.said?.[text] && el("code", { lang: "en" }, text),
      icon("close"),
    )
  );
  return el("div", { class: "prompt__nots" }, chips, typing && field(prompt, change, type));
}

/**
 * @param {Prompt} prompt
 * @param {(by: Partial<Prompt>) => void} change
 * @param {Type} type
 */
function field(prompt, change, type) {
  let done = false;
  const end = async (/** @type {string} */ typed) => {
    if (done) return;
    done = true;
    type("");
    const one = clean(typed);
    const sent = one && (await english({ name: "", text: "", not: [one], said: {}, glossary: "" }, () => {}));
    const [text = one] = sent ? sent.not : [];
    if (!sent || prompt.not.includes(text)) return;
    change({ ...(sent.glossary ? { glossary: sent.glossary } : {}), not: [...prompt.not, text], said: { ...prompt.said, ...sent.said } });
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
    const none = figure.closest(".prompt")?.querySelector("[data-why]") ?? null;
    const because = whyNothing(work, name);
    show(none, because !== "");
    if (none && none.textContent !== because) none.textContent = because;
  });
}

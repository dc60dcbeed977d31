// @ts-check
/** What is sent for a prompt in Chinese: shown under it, to be changed, or asked for where it was refused. */

import { byId, el, icon, iconButton, onEnter, show, swap } from "./dom.js";
import { hasChinese } from "./glossary.js";
import { clean } from "./prompts.js";
import { t } from "./words.js";

/** @typedef {import("./prompts.js").Prompt} Prompt */

/** Characters of a text that the server takes. */
const MOST = 500;

/** Whether what is sent stands apart from what was typed. @param {Pick<Prompt, "name" | "text">} prompt */
export function isSent({ name, text }) {
  return name !== text && hasChinese(name);
}

/**
 * The line under a prompt.
 *
 * @param {Pick<Prompt, "name" | "text">} prompt
 * @param {boolean} typing Whether another text is typed.
 * @param {(open: boolean) => void} type
 * @param {(text: string) => void} take
 */
export function sentLine({ name, text }, typing, type, take) {
  const label = el("span", { class: "muted" }, t("sent.as"));
  if (typing) return el("div", { class: "prompt__sent" }, label, field(text, t("sent.change", { name }), take, () => type(false)));
  const change = iconButton("pen", t("sent.change", { name }), () => type(true));
  return el("div", { class: "prompt__sent" }, label, el("code", { lang: "en" }, text), change);
}

/**
 * Ask for the English of a text that the glossary refuses, below the reason.
 *
 * @param {string} text As it was typed; empty: nothing is asked for.
 * @param {(english: string) => void} [take]
 */
export function askEnglish(text, take = (_english) => {}) {
  const box = byId("add-english", HTMLElement);
  show(box, text !== "");
  if (!text) {
    swap(box);
    return;
  }
  const input = field("", t("sent.english", { text }), take);
  input.placeholder = t("sent.english", { text });
  const use = () => clean(input.value) && take(clean(input.value));
  swap(box, input, el("button", { class: "btn", type: "button", onclick: use }, icon("plus"), t("sent.use")));
}

/**
 * @param {string} value
 * @param {string} label
 * @param {(text: string) => void} take
 * @param {() => void} [leave] A field that is left is closed, and what is in it taken.
 */
function field(value, label, take, leave) {
  let done = false;
  const end = (/** @type {boolean} */ taken) => {
    if (done) return;
    const text = clean(input.value);
    done = Boolean(leave);
    leave?.();
    if (taken && text && text !== value) take(text);
  };
  /** @type {HTMLInputElement} */
  const input = el("input", {
    class: "input",
    "data-sent": "",
    lang: "en",
    "aria-label": label,
    value,
    maxlength: MOST,
    autocomplete: "off",
    autocapitalize: "none",
    enterkeyhint: "done",
    onblur: () => leave && end(true),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape" && !event.isComposing) end(false);
    },
  });
  onEnter(input, () => end(true));
  return input;
}

// @ts-check
/**
 * Prompts in a form: a line for each with its colour, name and nots, and a field for another one. What
 * is typed in Chinese stays so, with what would be sent for it below.
 */

import { ApiError, explain } from "./api.js";
import { el, icon, iconButton, onEnter, swap } from "./dom.js";
import { hasChinese } from "./glossary.js";
import { look } from "./palette.js";
import { SentTexts } from "./sent-texts.js";
import { readPrompt } from "./spec-form.js";
import { isSent, sentLine } from "./try-sent.js";
import { t } from "./words.js";

/**
 * @import { Prompt } from "./spec-form.js"
 * @import { Sent } from "./sent-texts.js"
 *
 * @typedef {object} Form What the lines of a form have in common.
 * @property {() => void} changed
 * @property {(text: string) => Sent | null} sent What would be sent for a text in Chinese.
 * @property {(fill: () => void) => void} whenKnown Called again when more of that is known.
 */

/**
 * A form over a list of prompts, which it changes.
 *
 * @param {object} how
 * @param {() => Prompt[]} how.prompts
 * @param {() => string} how.team Whose words count for what is typed in Chinese; empty: of none.
 * @param {() => void} how.onchange
 * @returns {{element: HTMLElement, draw: () => void}}
 */
export function promptList({ prompts, team, onchange }) {
  const list = el("ul", { class: "prompts" });
  const field = el("input", {
    class: "input input--lg",
    id: "add-prompt",
    autocomplete: "off",
    maxlength: "2000",
    placeholder: t("prompts.add_example"),
  });
  const add = () => {
    const made = readPrompt(field.value);
    if (!made) return;
    prompts().push(made);
    field.value = "";
    changed();
  };
  onEnter(field, add);
  field.addEventListener("change", add);
  const row = el(
    "div",
    { class: "addrow" },
    icon("plus"),
    el("label", { class: "vh", for: "add-prompt" }, t("prompts.add")),
    field,
  );
  const changed = () => {
    draw();
    onchange();
  };
  /** @type {(() => void)[]} */
  let fills = [];
  const texts = new SentTexts(() => fills.forEach((fill) => fill()));
  const form = {
    changed,
    sent: (/** @type {string} */ text) => texts.of(team(), text),
    whenKnown: (/** @type {() => void} */ fill) => {
      fills.push(fill);
      fill();
    },
  };
  const draw = () => {
    fills = [];
    list.replaceChildren(...prompts().map((one, at) => line(one, at, prompts(), form)));
  };
  draw();
  return { element: el("div", {}, list, row), draw };
}

/**
 * @param {Prompt} prompt
 * @param {number} at
 * @param {Prompt[]} all
 * @param {Form} form
 */
function line(prompt, at, all, form) {
  const remove = () => {
    all.splice(at, 1);
    form.changed();
  };
  return el(
    "li",
    { class: "prompt" },
    el(
      "div",
      { class: "prompt__row" },
      el("span", { class: `sw ${look(at).className}`, "aria-hidden": "true" }),
      el("b", {}, prompt.name),
      prompt.name !== prompt.text && !isSent(prompt) && el("code", {}, prompt.text),
      prompt.rest.threshold !== undefined &&
        el("span", { class: "hint num" }, t("prompts.own_threshold", { value: prompt.rest.threshold })),
      el("span", { class: "grow" }),
      iconButton("close", t("prompts.remove", { name: prompt.name }), remove),
    ),
    (hasChinese(prompt.text) || isSent(prompt)) && sentAs(prompt, form),
    nots(prompt, form),
  );
}

/**
 * What is sent for a prompt in Chinese, to be changed; or why nothing is, with a field for its English.
 *
 * @param {Prompt} prompt
 * @param {Form} form
 */
function sentAs(prompt, { changed, sent, whenKnown }) {
  const place = el("div", { class: "sent-as" });
  let typing = false;
  const type = (/** @type {boolean} */ open) => {
    typing = open;
    fill();
    if (open) place.querySelector("input")?.focus();
  };
  const take = (/** @type {string} */ text) => {
    prompt.text = text;
    changed();
  };
  const fill = () => {
    const found = hasChinese(prompt.text) ? sent(prompt.text) : { sent: prompt.text, refused: null };
    if (!found) return swap(place);
    const open = typing || found.sent === null;
    swap(place, why(found, "p"), sentLine({ name: prompt.name, text: found.sent ?? "" }, open, type, take));
  };
  whenKnown(() => place.querySelector("input") || fill());
  return place;
}

/** @param {Sent} found @param {"p" | "span"} tag */
function why({ refused }, tag) {
  if (!refused) return null;
  const { code, detail, params } = refused;
  return el(tag, { class: "hint hint--bad" }, explain(new ApiError(422, code, detail, params)));
}

/**
 * @param {Prompt} prompt
 * @param {Form} form
 */
function nots(prompt, { changed, sent, whenKnown }) {
  const english = (/** @type {string} */ text) => {
    if (prompt.said?.[text]) return el("code", { lang: "en" }, text);
    if (!hasChinese(text)) return null;
    const place = el("span", {});
    whenKnown(() => {
      const found = sent(text);
      swap(place, found && (found.sent === null ? why(found, "span") : el("code", { lang: "en" }, found.sent)));
    });
    return place;
  };
  const chips = prompt.not.map((text, at) =>
    el(
      "button",
      {
        class: "chip chip--not",
        type: "button",
        "aria-label": t("prompts.not_remove", { text: prompt.said?.[text] ?? text }),
        onclick: () => {
          prompt.not.splice(at, 1);
          changed();
        },
      },
      el("b", {}, t("prompts.not")),
      prompt.said?.[text] ?? text,
      english(text),
      icon("close"),
    )
  );
  const field = el("input", {
    class: "input prompt__not",
    autocomplete: "off",
    maxlength: "500",
    "aria-label": t("prompts.not_add", { name: prompt.name }),
    placeholder: t("prompts.not_example"),
  });
  const add = () => {
    const text = field.value.trim().replace(/\s+/g, " ");
    if (!text || prompt.not.includes(text)) return;
    prompt.not.push(text);
    changed();
  };
  onEnter(field, add);
  field.addEventListener("change", add);
  return el("div", { class: "prompt__nots" }, ...chips, field);
}

// @ts-check
/** Prompts in a form: a line for each with its colour, name and nots, and a field for another one. */

import { el, icon, iconButton, onEnter } from "./dom.js";
import { look } from "./palette.js";
import { readPrompt } from "./spec-form.js";
import { t } from "./words.js";

/** @import { Prompt } from "./spec-form.js" */

/**
 * A form over a list of prompts, which it changes.
 *
 * @param {object} how
 * @param {() => Prompt[]} how.prompts
 * @param {() => void} how.onchange
 * @returns {{element: HTMLElement, draw: () => void}}
 */
export function promptList({ prompts, onchange }) {
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
  const draw = () => list.replaceChildren(...prompts().map((one, at) => line(one, at, prompts(), changed)));
  draw();
  return { element: el("div", {}, list, row), draw };
}

/**
 * @param {Prompt} prompt
 * @param {number} at
 * @param {Prompt[]} all
 * @param {() => void} changed
 */
function line(prompt, at, all, changed) {
  const remove = () => {
    all.splice(at, 1);
    changed();
  };
  return el(
    "li",
    { class: "prompt" },
    el(
      "div",
      { class: "prompt__row" },
      el("span", { class: `sw ${look(at).className}`, "aria-hidden": "true" }),
      el("b", {}, prompt.name),
      prompt.name !== prompt.text && el("code", {}, prompt.text),
      prompt.rest.threshold !== undefined &&
        el("span", { class: "hint num" }, t("prompts.own_threshold", { value: prompt.rest.threshold })),
      el("span", { class: "grow" }),
      iconButton("close", t("prompts.remove", { name: prompt.name }), remove),
    ),
    nots(prompt, changed),
  );
}

/**
 * @param {Prompt} prompt
 * @param {() => void} changed
 */
function nots(prompt, changed) {
  const chips = prompt.not.map((text, at) =>
    el(
      "button",
      {
        class: "chip chip--not",
        type: "button",
        "aria-label": t("prompts.not_remove", { text }),
        onclick: () => {
          prompt.not.splice(at, 1);
          changed();
        },
      },
      el("b", {}, t("prompts.not")),
      text,
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

// @ts-check
/** What forms have in common: a note that says how it went, and buttons that ask once more. */

import { explain } from "./api.js";
import { el, icon, show, swap } from "./dom.js";
import { t } from "./words.js";

/**
 * Say in a note why something failed.
 *
 * @param {HTMLElement} note
 * @param {unknown} error A sentence, or what was thrown.
 */
export function failed(note, error) {
  note.className = "note note--bad";
  note.setAttribute("role", "alert");
  swap(note, icon("warn"), el("p", {}, typeof error === "string" ? error : explain(error)));
  show(note, true);
}

/**
 * Say in a note that something was done.
 *
 * @param {HTMLElement} note
 * @param {string} sentence
 */
export function said(note, sentence) {
  note.className = "note note--ok";
  note.setAttribute("role", "status");
  swap(note, icon("check"), el("p", {}, sentence));
  show(note, true);
}

/**
 * Do what a form asks for: once, however often it is sent before that is done.
 *
 * @param {HTMLFormElement} form
 * @param {() => Promise<void>} work Tells its failures itself.
 */
export function onSubmit(form, work) {
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    await work().finally(() => (busy = false));
  });
}

/** Milliseconds for which the question stands. */
const PATIENCE = 5000;

/**
 * A button that asks once more before it does what cannot be undone, where it stands.
 *
 * @param {string} words
 * @param {string} question What the second press means.
 * @param {string} about What it is done to, for whoever does not see the row.
 * @param {() => Promise<void>} work A failure is told beside the button.
 */
export function twice(words, question, about, work) {
  const label = el("span");
  const button = el("button", { class: "btn", type: "button" }, label);
  /** @param {string} now */
  const say = (now) => {
    swap(label, now);
    button.setAttribute("aria-label", t("what_of", { what: now, about }));
  };
  const whole = el("span", { class: "twice" }, button);
  let timer = 0;
  const calm = () => {
    clearTimeout(timer);
    timer = 0;
    button.classList.remove("btn--danger");
    say(words);
  };
  button.addEventListener("click", async () => {
    if (!timer) {
      button.classList.add("btn--danger");
      say(question);
      timer = setTimeout(calm, PATIENCE);
      return;
    }
    calm();
    button.disabled = true;
    whole.querySelector("[role=alert]")?.remove();
    await work().catch((error) => {
      whole.prepend(el("span", { class: "hint hint--bad", role: "alert" }, explain(error)));
    });
    button.disabled = false;
  });
  button.addEventListener("blur", calm);
  say(words);
  return whole;
}

// @ts-check
/** The login page: a name, a password, and back to where somebody came from. */

import { address, ApiError, explain, post, root } from "./api.js";
import { wireChoices } from "./choices.js";
import { byId, icon, show, swap } from "./dom.js";
import { t } from "./words.js";

const form = byId("form", HTMLFormElement);
const name = byId("name", HTMLInputElement);
const password = byId("password", HTMLInputElement);
const why = byId("why", HTMLElement);

/** Where to go: a path of ours alone, whatever the address says. */
function next() {
  const asked = new URLSearchParams(location.search).get("next") ?? "";
  const url = new URL(root + asked, location.origin);
  const ours = asked.startsWith("/") && url.origin === location.origin;
  const inside = url.pathname.startsWith(`${root}/`) && url.pathname !== `${root}/login`;
  return ours && inside ? url.href : address("/try");
}

/** @param {string} sentence Empty: none. */
function say(sentence) {
  show(why, Boolean(sentence));
  swap(why, ...(sentence ? [icon("warn"), sentence] : []));
}

/** @param {SubmitEvent} event */
async function logIn(event) {
  event.preventDefault();
  const empty = [name, password].find((field) => !field.value);
  if (empty) {
    say(t("login.both"));
    empty.focus();
    return;
  }
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("[type=submit]"));
  button.disabled = true;
  try {
    const body = { name: name.value, password: password.value };
    await post("/api/v1/session", body, { quiet: true });
    location.replace(next());
  } catch (error) {
    say(explain(error));
    button.disabled = false;
    if (error instanceof ApiError && error.code === "auth.wrong") {
      password.select();
      password.focus();
    }
  }
}

wireChoices();
form.addEventListener("submit", logIn);
if (new URLSearchParams(location.search).get("why") === "link") say(t("login.link"));
name.focus();

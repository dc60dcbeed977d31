// @ts-check
/**
 * Language and theme: cookies, so that the server's page is right from its first pixel on.
 */

import { root } from "./api.js";
import { icon, swap } from "./dom.js";
import { language, t } from "./words.js";

/** @typedef {"system" | "light" | "dark"} Theme */

/** @type {Theme[]} */
export const THEMES = ["system", "light", "dark"];

/** Languages by the value of their cookie, each in its own words. */
export const LANGUAGES = { en: "English", zh: "中文" };

const YEAR = 365 * 24 * 3600;

/** @returns {Theme} */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

/** @param {Theme} chosen */
export function setTheme(chosen) {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  keep("theme", chosen === "system" ? "" : chosen);
  nameTheme();
  document.dispatchEvent(new Event("maskpool:theme"));
}

/** The cookie's value for the language that this page is in. */
export function languageHere() {
  return language.split("-")[0] === "zh" ? "zh" : "en";
}

/** @param {string} chosen One of `LANGUAGES`. */
export function setLanguage(chosen) {
  keep("lang", chosen);
  location.reload();
}

/** Wire the buttons of header and login page. */
export function wireChoices() {
  document.querySelectorAll("[data-do=language]").forEach((button) =>
    button.addEventListener("click", () => setLanguage(t("language.other")))
  );
  document.querySelectorAll("[data-do=theme]").forEach((button) =>
    button.addEventListener("click", () => {
      setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length] ?? "system");
    })
  );
  nameTheme();
}

/** Say on the buttons which theme is chosen. */
function nameTheme() {
  const name = t(`theme.${theme()}`);
  document.querySelectorAll("[data-do=theme]").forEach((button) => {
    const label = button.querySelector("[data-theme-name]");
    if (label) swap(label, name);
    else button.setAttribute("aria-label", name);
    button.setAttribute("title", name);
    if (!button.querySelector(".i")) button.prepend(icon("theme"));
  });
}

/**
 * @param {string} name
 * @param {string} value Empty: forget it.
 */
function keep(name, value) {
  const age = value ? YEAR : 0;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${value}; path=${root || "/"}; max-age=${age}; samesite=lax${secure}`;
}

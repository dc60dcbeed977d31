// @ts-check
/** The account's page: password, browsers that are logged in, tokens, language and theme. */

import { LANGUAGES, languageHere, setLanguage, setTheme, theme, THEMES } from "./choices.js";
import { ApiError, get, post, put, remove } from "./api.js";
import { browserOf } from "./browsers.js";
import { byId, el, icon, show, swap } from "./dom.js";
import { failed, onSubmit, said, twice } from "./forms.js";
import { me } from "./shell.js";
import { ago, day, t } from "./words.js";

/**
 * @typedef {{id: string, agent: string, created_at: string, seen_at: string, expires_at: string,
 *   this: boolean}} Session
 * @typedef {{id: string, name: string, prefix: string, rights: string[], created_at: string,
 *   expires_at: string | null, used_at: string | null, revoked_at: string | null}} Token
 */

/** What a new token may do unless somebody says otherwise: what a script that makes batches needs. */
const USUAL = ["read", "export", "predict", "upload", "submit", "change"];

async function drawSessions() {
  /** @type {Session[]} */
  const sessions = await get("/api/v1/sessions");
  swap(byId("sessions", HTMLElement), ...sessions.map(sessionRow));
}

/** @param {Session} one */
function sessionRow(one) {
  const here = el("span", { class: "state" }, el("span", { class: "dot dot--ok" }), t("account.this"));
  const end = twice(t("account.end"), t("account.end_sure"), browserOf(one.agent), async () => {
    await remove(`/api/v1/sessions/${one.id}`);
    await drawSessions();
  });
  return el(
    "tr",
    {},
    el("td", {}, el("span", { class: "name", title: one.agent }, browserOf(one.agent))),
    el("td", { "data-label": t("account.seen") }, ago(one.seen_at)),
    el("td", { class: "hide muted" }, ago(one.created_at)),
    el("td", { class: "hide muted" }, day(one.expires_at)),
    el("td", { class: "r full" }, one.this ? here : end),
  );
}

async function drawTokens() {
  /** @type {Token[]} */
  const tokens = await get("/api/v1/tokens");
  swap(byId("tokens", HTMLElement), ...tokens.map(tokenRow));
  show(byId("tokens-table", HTMLElement), tokens.length > 0);
  show(byId("no-tokens", HTMLElement), tokens.length === 0);
}

/** @param {Token} one */
function tokenRow(one) {
  const ended = one.expires_at !== null && Date.parse(one.expires_at) < Date.now();
  const over = one.revoked_at !== null ? t("account.revoked") : ended ? t("account.ended") : null;
  const revoke = twice(t("account.revoke"), t("account.revoke_sure"), one.name, async () => {
    await remove(`/api/v1/tokens/${one.id}`);
    await drawTokens();
  });
  const rights = one.rights.map((right) => t(`right.${right}`)).join(t("and_comma"));
  return el(
    "tr",
    { class: over ? "is-over" : "" },
    el("td", {}, el("span", { class: "name" }, one.name), el("small", { class: "mono" }, `${one.prefix}…`)),
    el("td", { class: "full" }, el("small", {}, rights)),
    el("td", { "data-label": t("account.used") }, one.used_at ? ago(one.used_at) : t("account.never")),
    el("td", { "data-label": t("account.until") }, one.expires_at ? day(one.expires_at) : t("account.no_end")),
    el("td", { class: "r full" }, over ? el("span", { class: "muted" }, over) : revoke),
  );
}

function wirePassword() {
  const form = byId("password-form", HTMLFormElement);
  const note = byId("password-note", HTMLElement);
  const [old, fresh, again] = ["old", "new", "again"].map((id) => byId(id, HTMLInputElement));
  onSubmit(form, async () => {
    if (!old || !fresh || !again) return;
    if (fresh.value !== again.value) {
      failed(note, t("account.not_same"));
      again.focus();
      return;
    }
    try {
      await put("/api/v1/session/password", { old: old.value, new: fresh.value });
      form.reset();
      said(note, t("account.changed"));
      await drawSessions();
    } catch (error) {
      failed(note, await passwordRefusal(error));
    }
  });
}

/** @param {unknown} error */
async function passwordRefusal(error) {
  if (!(error instanceof ApiError) || error.code !== "password.wrong") return error;
  return t("account.old_wrong", { name: (await me).name });
}

async function wireTokenForm() {
  const form = byId("token-form", HTMLFormElement);
  const note = byId("token-note", HTMLElement);
  onSubmit(form, async () => {
    const asked = new FormData(form);
    const days = Number(asked.get("days"));
    const body = { name: asked.get("name"), rights: asked.getAll("right"), days: days || null };
    if (!body.name || !body.rights.length) {
      failed(note, t("account.token_needs"));
      return;
    }
    try {
      const made = await post("/api/v1/tokens", body, { key: true });
      byId("token-name", HTMLInputElement).value = "";
      show(note, false);
      showSecret(made.token);
      await drawTokens();
    } catch (error) {
      failed(note, error);
    }
  });
  const { rights } = await me;
  swap(byId("rights", HTMLElement), ...rights.map(rightBox));
}

/** @param {string} right */
function rightBox(right) {
  const box = { type: "checkbox", name: "right", value: right, checked: USUAL.includes(right) };
  return el("label", { class: "check" }, el("input", box), el("span", {}, t(`right.${right}`)));
}

/** @param {string} text Of a token; it is not shown again. */
function showSecret(text) {
  const field = el("input", { class: "input", id: "token-text", readonly: true, value: text });
  const copied = el("span", { class: "vh", role: "status" });
  const copy = el("button", { class: "btn", type: "button" }, icon("copy"), t("account.copy"));
  copy.addEventListener("click", async () => {
    field.select();
    // Without TLS a page may not write to the clipboard by itself; the text is selected then.
    await navigator.clipboard?.writeText(text).catch(() => {});
    swap(copy, icon("check"), t("account.copied"));
    swap(copied, t("account.copied"));
  });
  const box = byId("token-made", HTMLElement);
  swap(
    box,
    el(
      "div",
      { class: "stack stack--s grow" },
      el("label", { for: "token-text" }, t("account.token_once")),
      el("div", { class: "secret" }, field, copy, copied),
    ),
  );
  show(box, true);
  field.focus();
  field.select();
}

function wireLooks() {
  const languages = Object.entries(LANGUAGES).map(([value, name]) =>
    radio("language", value, name, value === languageHere(), () => setLanguage(value))
  );
  swap(byId("languages", HTMLElement), ...languages);
  drawThemes();
  document.addEventListener("maskpool:theme", drawThemes);
}

function drawThemes() {
  const box = byId("themes", HTMLElement);
  const inside = box.contains(document.activeElement);
  const themes = THEMES.map((one) =>
    radio("theme", one, t(`theme.short.${one}`), one === theme(), () => setTheme(one))
  );
  swap(box, ...themes);
  if (inside) /** @type {HTMLElement | null} */ (box.querySelector(":checked"))?.focus();
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} label
 * @param {boolean} checked
 * @param {() => void} onchange
 */
function radio(name, value, label, checked, onchange) {
  return el("label", {}, el("input", { type: "radio", name, value, checked, onchange }), el("span", {}, label));
}

wireLooks();
wirePassword();
Promise.all([wireTokenForm(), drawSessions(), drawTokens()]).catch((error) =>
  failed(byId("page-note", HTMLElement), error)
);

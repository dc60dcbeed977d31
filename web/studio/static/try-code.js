// @ts-check
/** The same as code: what the page asks, as curl, Python, a command line and a spec. */

import { root } from "./api.js";
import { el, icon, swap } from "./dom.js";
import { asked, questionOf, typed } from "./prompts.js";
import { usual } from "./reading.js";
import { t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */

/** What its window holds. @param {Work} work */
export function codeParts(work) {
  const texts = codes(work);
  let now = "curl";
  const code = el("pre", { class: "code", tabindex: "0" });
  const copied = el("span", { class: "hint", role: "status" });
  const choose = (/** @type {string} */ name) => {
    now = name;
    swap(code, texts[name] ?? "");
    swap(copied, "");
  };
  const choices = Object.keys(texts).map((name) => {
    const input = { type: "radio", name: "code", value: name, checked: name === now, onchange: () => choose(name) };
    return el("label", {}, el("input", input), el("span", {}, name === "spec" ? t("code.spec") : name));
  });
  const copy = async () => swap(copied, (await put(texts[now] ?? "")) ? t("code.copied") : t("code.select"));
  const button = el("button", { class: "btn btn--primary", type: "button", onclick: copy }, icon("copy"), t("code.copy"));
  const seg = el("div", { class: "seg", role: "radiogroup", "aria-label": t("try.as_code") }, ...choices);
  choose(now);
  const finer = work.refine === "none" ? [] : [el("p", { class: "hint" }, t("code.refine", { option: `--refine ${work.refine}` }))];
  return { body: [el("p", { class: "hint" }, t("code.token")), seg, code, ...finer], acts: [copied, button] };
}

/** @param {string} text */
async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page without TLS may not; the text can be selected.
    return false;
  }
}

/**
 * @param {Work} work
 * @returns {Record<string, string>}
 */
export function codes(work) {
  const question = questionOf(work);
  const name = work.picture?.name.split("/").at(-1) ?? "picture.jpg";
  const masks = work.refine === "none" ? "masks=rle" : `masks=rle&refine=${work.refine}`;
  return { curl: curl(question, name, masks), Python: python(question, name, masks), CLI: cli(work, name), spec: spec(work) };
}

const server = () => `${location.origin}${root}`;

/** @param {object} question @param {string} name @param {string} masks How masks are written. */
function curl(question, name, masks) {
  const body = JSON.stringify({ upload: "$UPLOAD", file: name, ...question }).replace(/'/g, "'\\''");
  const [before, after] = body.split("$UPLOAD");
  return [
    `SERVER=${server()}`,
    "AUTH=\"Authorization: Bearer $MASKPOOL_TOKEN\"",
    "UPLOAD=$(curl -sS -H \"$AUTH\" --json '{}' $SERVER/api/v1/uploads | jq -r .id)",
    `curl -sS -H "$AUTH" -T ${shell(name)} "$SERVER/api/v1/uploads/$UPLOAD/files/${encodeURIComponent(name)}"`,
    `curl -sS -H "$AUTH" --json '${before}'$UPLOAD'${after}' \\`,
    `  "$SERVER/api/v1/predict?${masks}"`,
  ].join("\n");
}

/** @param {object} question @param {string} name @param {string} masks How masks are written. */
function python(question, name, masks) {
  return [
    "import os",
    "from pathlib import Path",
    "",
    "import httpx",
    "",
    `picture = Path(${JSON.stringify(name)})`,
    `client = httpx.Client(`,
    `    base_url="${server()}/api/v1/",`,
    '    headers={"Authorization": f"Bearer {os.environ[\'MASKPOOL_TOKEN\']}"},',
    "    timeout=60,",
    ")",
    'upload = client.post("uploads", json={}).raise_for_status().json()["id"]',
    'client.put(f"uploads/{upload}/files/{picture.name}", content=picture.read_bytes()).raise_for_status()',
    `question = {"upload": upload, "file": picture.name, ${JSON.stringify(question).slice(1)}`,
    `answer = client.post("predict?${masks}&wait=30", json=question).raise_for_status().json()`,
    'for instance in answer["result"]["instances"]:',
    '    print(instance["category"], instance["score"], instance["segmentation"])',
  ].join("\n");
}

/** @param {Work} work @param {string} name */
function cli(work, name) {
  const { reading } = work;
  const { max_overlap, max_against } = usual();
  // Options cannot say these; the spec, which is the next choice, does.
  if (
    reading.max_overlap !== max_overlap || reading.max_against !== max_against ||
    Object.keys(reading.prompts).length > 0
  ) {
    return ["maskpool run", shell(name), "--spec spec.json -o out"].join(" ");
  }
  const parts = work.prompts.map((one) => `-p ${shell(typed(one))}`);
  if (reading.threshold !== usual().threshold) parts.push(`--threshold ${reading.threshold}`);
  if (reading.exclusive) parts.push("--exclusive");
  if (work.tiles !== "off") parts.push(`--tiles ${work.tiles}`);
  return ["maskpool run", shell(name), ...parts, "-o out"].join(" ");
}

/** As `maskpool run --spec` takes it. @param {Work} work */
function spec(work) {
  const { prompts: own, ...reading } = work.reading;
  const prompts = work.prompts.map((one) => ({ ...asked(one), ...own[one.name] }));
  return JSON.stringify({ ...reading, ...questionOf(work), prompts }, null, 2);
}

/** @param {string} text */
function shell(text) {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

// @ts-check
/** A tile of the gallery: a picture in small with the masks that count, its name, how many there are. */

import { address } from "./api.js";
import { el, icon, swap } from "./dom.js";
import { CASE, FILL, look } from "./palette.js";
import { reasons } from "./reading.js";
import { pathOf } from "./stored-masks.js";
import { count, t } from "./words.js";

/**
 * @import { Reading } from "./reading.js"
 * @import { StoredImage } from "./stored-masks.js"
 *
 * @typedef {object} Row As `GET …/images` lists it.
 * @property {number} seq
 * @property {string} name
 * @property {"waiting" | "done" | "failed" | "cancelled"} state
 * @property {number | null} width
 * @property {number | null} height
 * @property {Record<string, number>} found
 * @property {string | null} error
 *
 * @typedef {object} View What all tiles show.
 * @property {string} batchId
 * @property {Reading} reading
 * @property {string[]} names Of the prompts.
 * @property {number} version Another one for another reading.
 * @property {number} width Pixels of a tile. To measure each would make each wait for the layout.
 * @property {(seq: number) => StoredImage | undefined} stored
 *
 * @typedef {object} Parts
 * @property {HTMLImageElement} image
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} message
 * @property {HTMLElement} name
 * @property {HTMLElement} count
 * @property {Row | undefined} row
 * @property {string} drawn What the canvas shows.
 */

/** CSS pixels of outlines on tiles, and of the dark case below them. */
const LINE = 1.5, LINE_CASE = 3;

/** Pixels around a picture in its tile, and height of a tile's picture for its width: as in the styles. */
const INSET = 4, SHAPE = 0.75;

/** @type {WeakMap<HTMLElement, Parts>} */
const parts = new WeakMap();

/** @param {HTMLAnchorElement} link */
export function build(link) {
  const image = el("img", { alt: "", decoding: "async", draggable: "false" });
  const canvas = el("canvas", { "aria-hidden": "true" });
  const message = el("span", { class: "tile__msg" });
  const picture = el("span", { class: "tile__pic" }, image, canvas, message);
  const name = el("span", { class: "trunc" }), number = el("span", {});
  link.append(picture, el("span", { class: "tile__cap" }, name, number));
  parts.set(link, { image, canvas, message, name, count: number, row: undefined, drawn: "" });
  image.addEventListener("error", () => say(link, "picture", t("tile.no_picture")));
}

/**
 * Show an image, or that it is still to come.
 *
 * @param {HTMLAnchorElement} link
 * @param {Row | undefined} row
 * @param {boolean} calm Whether the picture is worth fetching.
 * @param {View} view
 */
export function paint(link, row, calm, view) {
  const own = /** @type {Parts} */ (parts.get(link));
  if (own.row?.seq !== row?.seq || own.row?.state !== row?.state) begin(link, own, row);
  own.row = row;
  if (!row) return;
  if (row.state !== "done") return;
  const source = address(`/api/v1/batches/${view.batchId}/images/${row.seq}/thumbnail`);
  if (calm && own.image.getAttribute("src") !== source) own.image.src = source;
  const stored = view.stored(row.seq);
  const drawn = stored ? `${row.seq} ${view.version} ${view.width}` : "";
  if (drawn === own.drawn) return;
  own.drawn = drawn;
  const counting = stored ? draw(own.canvas, stored, view) : sum(row.found);
  caption(link, own, counting);
}

/**
 * @param {HTMLAnchorElement} link
 * @param {Parts} own
 * @param {Row | undefined} row
 */
function begin(link, own, row) {
  own.image.removeAttribute("src");
  own.canvas.width = 0;
  own.drawn = "";
  link.classList.toggle("tile--bad", row?.state === "failed");
  link.classList.toggle("tile--wait", !row || row.state === "waiting" || row.state === "cancelled");
  own.name.textContent = row ? shortName(row.name) : "";
  own.name.title = row?.name ?? "";
  if (row) link.href = `#image=${row.seq}`;
  else link.removeAttribute("href");
  own.count.textContent = "";
  link.removeAttribute("aria-label");
  swap(own.message);
  if (row?.state === "failed") say(link, "warn", t("tile.failed"));
  else if (row?.state === "waiting") say(link, "clock", t("tile.waiting"));
  else if (row?.state === "cancelled") say(link, "stop", t("tile.cancelled"));
  else if (row) caption(link, own, sum(row.found));
}

/**
 * @param {HTMLAnchorElement} link
 * @param {string} sign
 * @param {string} words
 */
function say(link, sign, words) {
  const own = parts.get(link);
  if (own) swap(own.message, icon(sign), words);
}

/**
 * @param {HTMLAnchorElement} link
 * @param {Parts} own
 * @param {number} counting
 */
function caption(link, own, counting) {
  own.count.textContent = counting ? count(counting) : t("tile.none");
  // A bare figure says nothing to who only hears it.
  link.setAttribute("aria-label", t("what_of", { what: own.name.title, about: t("tile.masks", { count: counting }) }));
}

/** @param {Record<string, number>} found */
function sum(found) {
  return Object.values(found).reduce((all, one) => all + one, 0);
}

/**
 * Draw what counts; returns how many masks that is.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {StoredImage} stored
 * @param {View} view
 */
function draw(canvas, stored, view) {
  const why = reasons(stored.instances, view.reading, view.names);
  // As `object-fit: contain` places the picture below.
  const width = view.width - 2 * INSET, height = view.width * SHAPE - 2 * INSET;
  const scale = Math.min(width / stored.width, height / stored.height);
  const dots = devicePixelRatio || 1;
  canvas.width = Math.round(stored.width * scale * dots);
  canvas.height = Math.round(stored.height * scale * dots);
  const pen = canvas.getContext("2d");
  if (!pen) return 0;
  pen.scale(scale * dots, scale * dots);
  pen.lineJoin = "round";
  let counting = 0;
  why.forEach((reason, at) => {
    if (reason) return;
    counting++;
    drawOne(pen, pathOf(stored, at, scale * dots), stored.instances[at]?.prompt ?? 0, scale);
  });
  return counting;
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Path2D} path
 * @param {number} prompt
 * @param {number} scale CSS pixels of a pixel of the mask.
 */
function drawOne(pen, path, prompt, scale) {
  const { colour, dashed } = look(prompt);
  pen.fillStyle = pen.strokeStyle = colour;
  pen.globalAlpha = FILL;
  pen.fill(path, "evenodd");
  pen.globalAlpha = 1;
  pen.strokeStyle = CASE;
  pen.lineWidth = LINE_CASE / scale;
  pen.stroke(path);
  pen.strokeStyle = colour;
  pen.lineWidth = LINE / scale;
  pen.setLineDash(dashed ? [4 / scale, 3 / scale] : []);
  pen.stroke(path);
  pen.setLineDash([]);
}

/**
 * A name without its folders.
 *
 * @param {string} name
 */
function shortName(name) {
  return name.slice(name.lastIndexOf("/") + 1);
}

// @ts-check
/**
 * Three canvases on each other: picture, masks, and what changes while somebody points. So a slider
 * repaints masks alone, and pointing at one of a thousand repaints one.
 */

import * as paint from "./paint.js";
import { Painted } from "./repaint.js";

/** @typedef {import("./paint.js").Mask} Mask */
/** @typedef {import("./paint.js").Point} Point */
/** @typedef {"picture" | "masks" | "marks"} Layer */

/**
 * All that is to be seen.
 *
 * @typedef {object} Scene
 * @property {ImageBitmap | HTMLCanvasElement | null} bitmap
 * @property {Mask[]} masks Those that are drawn, large ones first.
 * @property {boolean} veiled Masks are hidden for the moment.
 * @property {Mask | null} hovered
 * @property {boolean} ghost The hovered one does not count.
 * @property {Mask | null} selected
 * @property {boolean} waits The selected one waits for an answer.
 * @property {Point[]} points
 * @property {[number, number, number, number] | null} box
 * @property {[number, number] | null} cross
 */

/** A repaint that took longer moves the old picture while somebody drags, and paints afterwards. */
const SLOW = 24;

/** Milliseconds without a move after which a slow scene is painted anew. */
const REST = 90;

/** Share of a selected mask's neighbours. */
const DIM = "0.62";

export class Layers {
  /**
   * @param {import("./view.js").View} view
   * @param {Scene} scene
   */
  constructor(view, scene) {
    this.view = view;
    this.scene = scene;
    /** @type {Record<Layer, HTMLCanvasElement>} */
    this.canvases = { picture: sheet(), masks: sheet(), marks: sheet() };
    /** @type {Set<Layer>} */
    this.dirty = new Set();
    this.frame = 0;
    this.rest = 0;
    /** Milliseconds that masks took. */
    this.cost = 0;
    /** @type {{scale: number, x: number, y: number} | null} Where masks were painted. */
    this.painted = null;
    this.known = new Painted();
    this.spare = sheet();
  }

  /** Follow the stage's size. */
  resize() {
    const ratio = globalThis.devicePixelRatio || 1;
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = Math.max(1, Math.round(this.view.width * ratio));
      canvas.height = Math.max(1, Math.round(this.view.height * ratio));
    }
    this.known.forget();
    // Setting a size clears a canvas; waiting for a frame would flash.
    for (const layer of /** @type {Layer[]} */ (["picture", "masks", "marks"])) this.#paint(layer);
    this.dirty.clear();
  }

  /**
   * Paint in the next frame.
   *
   * @param {...Layer} layers
   */
  want(...layers) {
    for (const layer of layers) this.dirty.add(layer);
    this.frame ||= requestAnimationFrame(() => this.now());
  }

  /** Paint what is wanted. */
  now() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    for (const layer of this.dirty) this.#paint(layer);
    this.dirty.clear();
  }

  /** The view moved: masks of a slow scene move as they are, and are painted when it rests. */
  moved() {
    if (this.cost < SLOW || !this.painted) {
      this.want("picture", "masks", "marks");
      return;
    }
    const { view, painted } = this;
    const scale = view.scale / painted.scale;
    const [x, y] = [view.x - painted.x * scale, view.y - painted.y * scale];
    this.canvases.masks.style.transform = `matrix(${scale}, 0, 0, ${scale}, ${x}, ${y})`;
    this.want("picture", "marks");
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.want("masks"), REST);
  }

  /** @param {Layer} layer */
  #paint(layer) {
    const canvas = this.canvases[layer];
    const ink = canvas.getContext("2d");
    if (!ink) return;
    if (layer === "masks") {
      this.#masks(ink);
      return;
    }
    clear(ink);
    if (layer === "picture") this.#picture(ink);
    else this.#marks(ink);
  }

  /** @param {CanvasRenderingContext2D} ink */
  #picture(ink) {
    const { view, scene } = this;
    if (!scene.bitmap) return;
    this.#onPicture(ink);
    // Where a pixel is larger than four of the screen, people look at pixels.
    ink.imageSmoothingEnabled = view.scale < 4;
    ink.imageSmoothingQuality = "high";
    ink.drawImage(scene.bitmap, 0, 0, view.pictureWidth, view.pictureHeight);
  }

  /** @param {CanvasRenderingContext2D} ink */
  #masks(ink) {
    const { view, scene } = this;
    const { style } = this.canvases.masks;
    style.transform = "";
    style.opacity = scene.selected ? DIM : "1";
    this.painted = { scale: view.scale, x: view.x, y: view.y };
    const masks = scene.veiled ? [] : scene.masks;
    const many = paint.areMany(masks);
    const changed = this.known.next(masks, view, String(many));
    if (changed) {
      if (changed.parts.length) this.#parts(ink, changed.parts, changed.masks, many);
      return;
    }
    const began = performance.now();
    clear(ink);
    this.#onPicture(ink);
    paint.paintMasks(ink, masks, view, many);
    if (!scene.veiled) this.cost = performance.now() - began;
  }

  /**
   * Paint parts anew. They are copied from a spare canvas, as edges come out otherwise where a clip
   * cuts a path: so they look as if all had been painted.
   *
   * @param {CanvasRenderingContext2D} ink
   * @param {import("./repaint.js").Part[]} parts
   * @param {import("./paint.js").Mask[]} masks Those that lie in one.
   * @param {boolean} many
   */
  #parts(ink, parts, masks, many) {
    const spare = this.spare.getContext("2d");
    if (!spare) return;
    const { width, height } = ink.canvas;
    if (this.spare.width !== width || this.spare.height !== height) Object.assign(this.spare, { width, height });
    clear(spare);
    this.#onPicture(spare);
    paint.paintMasks(spare, masks, this.view, many);
    ink.setTransform(1, 0, 0, 1, 0, 0);
    for (const [left, top, right, bottom] of parts) {
      const [wide, high] = [right - left, bottom - top];
      ink.clearRect(left, top, wide, high);
      ink.drawImage(this.spare, left, top, wide, high, left, top, wide, high);
    }
  }

  /** @param {CanvasRenderingContext2D} ink */
  #marks(ink) {
    const { view, scene } = this;
    this.canvases.masks.style.opacity = scene.selected ? DIM : "1";
    this.#onPicture(ink);
    const { hovered, selected } = scene;
    if (hovered && hovered !== selected && !scene.veiled) {
      if (scene.ghost) paint.paintGhost(ink, hovered, view);
      else paint.paintHovered(ink, hovered, view);
    }
    if (selected && !scene.veiled) paint.paintSelected(ink, selected, view, scene.waits);
    const ratio = globalThis.devicePixelRatio || 1;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (scene.box) paint.paintBox(ink, scene.box, view);
    for (const point of scene.points) paint.paintPoint(ink, point, view);
    if (scene.cross) paint.paintCross(ink, scene.cross, view);
  }

  /** @param {CanvasRenderingContext2D} ink */
  #onPicture(ink) {
    const ratio = globalThis.devicePixelRatio || 1;
    const { scale, x, y } = this.view;
    ink.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
    // An outline turns by 45° at a time: round looks the same, and takes longer to paint.
    ink.lineJoin = "bevel";
  }
}

/** @param {CanvasRenderingContext2D} ink */
function clear(ink) {
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.clearRect(0, 0, ink.canvas.width, ink.canvas.height);
}

function sheet() {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}

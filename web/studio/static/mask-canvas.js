// @ts-check
/**
 * `<mask-canvas>`: a picture with masks on it that can be pointed at, chosen and corrected.
 *
 * It asks nobody and knows no prompts. It tells by events: `mask-hover` (a mask or null),
 * `mask-pick` (a mask or null), `mask-point` (`{x, y, label, mask}`), `mask-box` (left, top, right,
 * bottom) and `mask-view` when it moved. All places are in the masks' pixels.
 */

import { Gestures } from "./gestures.js";
import { Layers } from "./layers.js";
import { View } from "./view.js";

/** @typedef {import("./paint.js").Mask} Mask */
/** @typedef {import("./paint.js").Point} Point */
/** @typedef {import("./gestures.js").Tool} Tool */
/** @typedef {[number, number, number, number]} Box */

/** Pixels of the screen of one press of an arrow key, and with Shift. */
const STEP = 8, LONG_STEP = 48;

export class MaskCanvas extends HTMLElement {
  constructor() {
    super();
    this.view = new View();
    /** @type {import("./layers.js").Scene} */
    this.scene = {
      bitmap: null,
      masks: [],
      veiled: false,
      hovered: null,
      ghost: false,
      selected: null,
      waits: false,
      points: [],
      box: null,
      cross: null,
    };
    this.layers = new Layers(this.view, this.scene);
    /** @type {Tool} */
    this.chosen = "select";
    /** @type {[number, number] | null} First corner of a box that is set by keys. */
    this.corner = null;
    this.gestures = new Gestures(this, {
      tool: () => this.chosen,
      hover: (x, y) => this.hover(this.at(...this.view.toPicture(x, y))),
      leave: () => this.hover(null),
      click: (x, y, event) => this.#click(...this.view.toPicture(x, y), event.altKey),
      pan: (x, y) => this.#move(() => this.view.pan(x, y)),
      zoom: (factor, x, y) => this.zoom(factor, x, y),
      fit: () => this.fit(),
      box: (x0, y0, x1, y1, done) => this.#box([...this.view.toPicture(x0, y0)], this.view.toPicture(x1, y1), done),
    });
    this.addEventListener("keydown", (event) => this.#key(event));
    this.addEventListener("blur", () => this.#cross(null));
  }

  connectedCallback() {
    if (!this.firstChild) this.append(...Object.values(this.layers.canvases));
    if (!this.hasAttribute("tabindex")) this.tabIndex = 0;
    this.watcher = new ResizeObserver(() => this.#resize());
    this.watcher.observe(this);
    this.#resize();
  }

  disconnectedCallback() {
    this.watcher?.disconnect();
  }

  /** @param {Tool} tool */
  set tool(tool) {
    this.chosen = tool;
    this.dataset.tool = tool;
    this.corner = null;
    this.#cross(null);
  }

  get tool() {
    return this.chosen;
  }

  /** @param {boolean} yes Whether the mouse drags the picture whatever the tool is. */
  set grabs(yes) {
    this.gestures.grabs = yes;
    this.toggleAttribute("data-grabs", yes);
  }

  /**
   * Show another picture without masks; it fits.
   *
   * @param {ImageBitmap | HTMLCanvasElement | null} bitmap
   * @param {number} width Of its masks, pixels.
   * @param {number} height
   */
  show(bitmap, width, height) {
    Object.assign(this.scene, { bitmap, masks: [], hovered: null, selected: null, points: [], box: null });
    Object.assign(this.view, { pictureWidth: width, pictureHeight: height });
    this.fit();
  }

  /** @param {Mask[]} masks Those that are to be seen. */
  set masks(masks) {
    this.scene.masks = [...masks].sort((a, b) => b.area - a.area);
    if (this.scene.hovered && !this.scene.ghost && !masks.includes(this.scene.hovered)) this.hover(null);
    this.layers.want("masks", "marks");
  }

  get masks() {
    return this.scene.masks;
  }

  /**
   * What is chosen, with its points and box.
   *
   * @param {Mask | null} mask
   * @param {{points?: Point[], box?: Box | null, waits?: boolean}} [more]
   */
  select(mask, { points = [], box = null, waits = false } = {}) {
    Object.assign(this.scene, { selected: mask, points, box, waits });
    this.layers.want("marks");
  }

  /**
   * Point at a mask.
   *
   * @param {Mask | null} mask
   * @param {boolean} [ghost] It does not count: its outline alone is drawn.
   */
  hover(mask, ghost = false) {
    if (mask === this.scene.hovered && ghost === this.scene.ghost) return;
    Object.assign(this.scene, { hovered: mask, ghost });
    this.layers.want("marks");
    this.#tell("mask-hover", mask);
  }

  /** @param {boolean} yes */
  veil(yes) {
    if (yes === this.scene.veiled) return;
    this.scene.veiled = yes;
    this.layers.want("masks", "marks");
  }

  /**
   * The smallest mask that is drawn at a place.
   *
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    const { masks } = this.scene;
    for (let i = masks.length - 1; i >= 0; i--) {
      const mask = masks[i];
      if (!mask) continue;
      const [left, top, right, bottom] = mask.box;
      const near = x >= left && x < right && y >= top && y < bottom;
      if (near && mask.runs.contains(x, y)) return mask;
    }
    return null;
  }

  /**
   * @param {number} factor
   * @param {number} [x] Of the stage; the middle.
   * @param {number} [y]
   */
  zoom(factor, x, y) {
    this.#move(() => this.view.zoom(factor, x, y));
  }

  fit() {
    this.#move(() => this.view.fit());
  }

  #resize() {
    if (!this.clientWidth || !this.clientHeight) return;
    this.view.resize(this.clientWidth, this.clientHeight);
    this.layers.resize();
    this.#tell("mask-view", null);
  }

  /** @param {() => void} change */
  #move(change) {
    change();
    this.layers.moved();
    this.#tell("mask-view", null);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} other Whether the tool does the opposite.
   */
  #click(x, y, other) {
    const mask = this.at(x, y);
    if (this.chosen === "select") this.#tell("mask-pick", mask);
    else if (this.#inside(x, y)) this.#point(x, y, other, mask);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} other
   * @param {Mask | null} mask
   */
  #point(x, y, other, mask) {
    if (this.chosen !== "add" && this.chosen !== "take") return;
    const label = (this.chosen === "add") !== other ? 1 : 0;
    this.#tell("mask-point", { x, y, label, mask });
  }

  /**
   * @param {[number, number]} from
   * @param {[number, number]} to
   * @param {boolean} done
   */
  #box(from, to, done) {
    const { pictureWidth: wide, pictureHeight: high } = this.view;
    const xs = [from[0], to[0]].map((x) => Math.min(wide, Math.max(0, x))).sort((a, b) => a - b);
    const ys = [from[1], to[1]].map((y) => Math.min(high, Math.max(0, y))).sort((a, b) => a - b);
    const box = /** @type {Box} */ ([xs[0], ys[0], xs[1], ys[1]]);
    const some = box[2] - box[0] >= 2 && box[3] - box[1] >= 2;
    this.scene.box = some ? box : null;
    this.layers.want("marks");
    if (done && some) this.#tell("mask-box", box);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #inside(x, y) {
    return x >= 0 && y >= 0 && x < this.view.pictureWidth && y < this.view.pictureHeight;
  }

  /** @param {[number, number] | null} at */
  #cross(at) {
    if (at === this.scene.cross) return;
    this.scene.cross = at;
    this.layers.want("marks");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const sets = ["add", "take", "box"].includes(this.chosen);
    if (!this.scene.bitmap || event.ctrlKey || event.metaKey || !sets) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) this.#step(way, event.shiftKey ? LONG_STEP : STEP);
    else if (event.key === "Enter" && this.scene.cross) this.#enter(this.scene.cross, event.altKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * @param {number[]} way
   * @param {number} step
   */
  #step([dx = 0, dy = 0], step) {
    const { view } = this;
    const [x, y] = this.scene.cross ?? view.toPicture(view.width / 2, view.height / 2);
    const far = step / view.scale;
    this.#cross([
      Math.min(view.pictureWidth - 1, Math.max(0, x + dx * far)),
      Math.min(view.pictureHeight - 1, Math.max(0, y + dy * far)),
    ]);
    if (this.corner && this.scene.cross) this.#box(this.corner, this.scene.cross, false);
  }

  /**
   * @param {[number, number]} at
   * @param {boolean} other
   */
  #enter(at, other) {
    if (this.chosen !== "box") this.#point(...at, other, this.at(...at));
    else if (this.corner) {
      this.#box(this.corner, at, true);
      this.corner = null;
    } else this.corner = at;
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

customElements.define("mask-canvas", MaskCanvas);

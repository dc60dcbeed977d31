// @ts-check
/**
 * What hands do on a picture: point, click, drag, pinch, turn the wheel. One finger or the mouse
 * drags the picture, and in the tools that set points or boxes it does what the tool says.
 */

/** @typedef {"select" | "add" | "take" | "box" | "move"} Tool */

/**
 * @typedef {object} Hands What becomes of it; places are pixels of the stage.
 * @property {() => Tool} tool
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {(x: number, y: number, event: PointerEvent) => void} click
 * @property {(x: number, y: number) => void} pan By so much.
 * @property {(factor: number, x: number, y: number) => void} zoom
 * @property {() => void} fit
 * @property {(x0: number, y0: number, x1: number, y1: number, done: boolean) => void} box
 */

/** Pixels from which on a press is a drag, for a mouse and for a finger. */
const STILL = 4, STILL_FINGER = 10;

/** How much one step of the wheel zooms: `exp(-delta * WHEEL)`; a pinch of a touchpad says less. */
const WHEEL = 0.0016, PINCH = 0.01;

export class Gestures {
  /**
   * @param {HTMLElement} stage
   * @param {Hands} hands
   */
  constructor(stage, hands) {
    this.stage = stage;
    this.hands = hands;
    /** Whether the picture moves with the mouse, as while Space is held. */
    this.grabs = false;
    /** @type {Map<number, {x: number, y: number}>} Fingers, or the mouse. */
    this.down = new Map();
    this.start = { x: 0, y: 0 };
    this.dragged = false;
    /** @type {"" | "pan" | "box" | "pinch" | "press"} */
    this.doing = "";
    stage.addEventListener("pointerdown", (event) => this.#press(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#release(event));
    stage.addEventListener("pointercancel", (event) => this.#cancel(event));
    stage.addEventListener("pointerleave", () => this.down.size || hands.leave());
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("dblclick", () => {
      if (["select", "move"].includes(hands.tool())) hands.fit();
    });
  }

  /** @param {MouseEvent} event */
  #place(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button === 2) return;
    if (event.button === 1) event.preventDefault();
    const place = this.#place(event);
    this.stage.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, place);
    if (this.down.size === 2) {
      if (this.doing === "box") this.#dropBox();
      this.doing = "pinch";
      return;
    }
    this.start = place;
    this.dragged = false;
    const tool = this.hands.tool();
    if (this.grabs || event.button === 1 || tool === "move") this.doing = "pan";
    else this.doing = tool === "box" ? "box" : "press";
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const place = this.#place(event);
    const before = this.down.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") this.hands.hover(place.x, place.y);
      return;
    }
    if (this.doing === "pinch") this.#pinch(event.pointerId, place);
    else this.#drag(before, place, event.pointerType === "touch");
    this.down.set(event.pointerId, place);
  }

  /**
   * @param {{x: number, y: number}} before
   * @param {{x: number, y: number}} place
   * @param {boolean} finger
   */
  #drag(before, place, finger) {
    const way = Math.hypot(place.x - this.start.x, place.y - this.start.y);
    if (!this.dragged && way < (finger ? STILL_FINGER : STILL)) return;
    this.dragged = true;
    if (this.doing === "box") {
      this.hands.box(this.start.x, this.start.y, place.x, place.y, false);
    } else if (this.doing === "pan" || finger || this.hands.tool() === "select") {
      this.hands.pan(place.x - before.x, place.y - before.y);
    }
  }

  /**
   * @param {number} id Of the finger that moved.
   * @param {{x: number, y: number}} place
   */
  #pinch(id, place) {
    const moved = this.down.get(id);
    const still = [...this.down].find(([other]) => other !== id)?.[1];
    if (!moved || !still) return;
    const before = Math.hypot(moved.x - still.x, moved.y - still.y);
    const after = Math.hypot(place.x - still.x, place.y - still.y);
    this.hands.pan((place.x - moved.x) / 2, (place.y - moved.y) / 2);
    if (before > 0) this.hands.zoom(after / before, (place.x + still.x) / 2, (place.y + still.y) / 2);
  }

  /** @param {PointerEvent} event */
  #release(event) {
    if (!this.down.delete(event.pointerId)) return;
    const place = this.#place(event);
    const { doing } = this;
    if (doing === "pinch") {
      // The finger that stays would drag the picture away.
      if (!this.down.size) this.doing = "";
      return;
    }
    this.doing = "";
    if (doing === "box") this.#endBox(place);
    else if (doing === "press" && !this.dragged) this.hands.click(place.x, place.y, event);
  }

  /** @param {{x: number, y: number}} place */
  #endBox(place) {
    if (this.dragged) this.hands.box(this.start.x, this.start.y, place.x, place.y, true);
  }

  #dropBox() {
    this.hands.box(0, 0, 0, 0, false);
  }

  /** @param {PointerEvent} event */
  #cancel(event) {
    this.down.delete(event.pointerId);
    if (this.doing === "box") this.#dropBox();
    if (!this.down.size) this.doing = "";
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const step = event.deltaY * lines * (event.ctrlKey ? PINCH : WHEEL);
    const { x, y } = this.#place(event);
    this.hands.zoom(Math.exp(-Math.max(-1, Math.min(1, step))), x, y);
  }
}

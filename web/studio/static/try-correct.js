// @ts-check
/** Corrections: points and boxes on an object, each of which asks for this object's mask alone. */

import { clean } from "./prompts.js";
import { t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./work.js").Edit} Edit */
/** @typedef {import("./work.js").Box} Box */

/** Points that one object may have. */
const MOST = 32;

/** From which intersection over union on a box is around a mask: what is cut off makes it less. */
const AROUND = 0.3;

export class Correct {
  /**
   * @param {Work} work
   * @param {import("./try-asking.js").Asking} asking
   * @param {(sentence: string) => void} say
   */
  constructor(work, asking, say) {
    this.work = work;
    this.asking = asking;
    this.say = say;
    this.made = 0;
  }

  /**
   * @param {{x: number, y: number, label: 0 | 1, mask: {id: string} | null}} point
   */
  point({ x, y, label, mask }) {
    const { work } = this;
    const id = work.selectedId || mask?.id || "";
    const edit = this.#of(id);
    if (!edit.box && !label && !edit.points.some((one) => one.label)) {
      this.say(t("correct.first"));
      return;
    }
    if (edit.points.length >= MOST) {
      this.say(t("correct.many"));
      return;
    }
    const box = label && edit.box ? around(edit.box, x, y) : edit.box;
    this.#ask({ ...edit, box, points: [...edit.points, { x, y, label }] });
  }

  /**
   * A box around the selected mask corrects it; elsewhere it begins a new object, so that who draws one box
   * after the other loses none.
   *
   * @param {Box} box
   */
  box(box) {
    const { selected } = this.work;
    const around = selected !== null && iou(selected.mask.box, box) >= AROUND;
    this.#ask({ ...this.#of(around ? selected.id : ""), box, points: [] });
  }

  /** Leave the selected mask out, or take it back. */
  leaveOut() {
    const { work } = this;
    const item = work.selected;
    if (!item) return;
    const edit = this.#of(item.id);
    const drawn = edit.replaces === null;
    const rest = work.edits.filter((one) => one.id !== edit.id);
    work.edit(drawn ? rest : [...rest, { ...edit, gone: !edit.gone }]);
  }

  /**
   * Give an object that somebody drew another label.
   *
   * @param {string} id
   * @param {string} typed Empty: it keeps its own.
   */
  rename(id, typed) {
    const { work } = this;
    const name = clean(typed);
    const edit = work.edits.find((one) => one.id === id);
    if (!name || !edit || edit.replaces !== null || edit.name === name) {
      work.tell("selection");
      return;
    }
    const found = edit.found && { ...edit.found, category: name };
    work.edit(work.edits.map((one) => (one === edit ? { ...edit, name, found } : one)));
  }

  undo() {
    this.work.picture?.edits.undo();
    this.work.rebuild();
  }

  redo() {
    this.work.picture?.edits.redo();
    this.work.rebuild();
  }

  /** Take all corrections back, as one step. */
  reset() {
    if (this.work.edits.length) this.work.edit([]);
  }

  /**
   * The correction of an item as it stands, or the first of a new object.
   *
   * @param {string} id
   * @returns {Edit}
   */
  #of(id) {
    const { work } = this;
    const known = work.edits.find((one) => one.id === id);
    if (known) return known;
    const item = work.items.find((one) => one.id === id);
    const blank = { points: [], found: null, link: "", waits: 0, missed: false, gone: false };
    if (item) return { ...blank, id, replaces: item.instance.ordinal, name: item.name, box: item.mask.box };
    this.made += 1;
    const name = work.readingFor || work.prompts[0]?.name || t("correct.object");
    return { ...blank, id: `n${Date.now().toString(36)}${this.made}`, replaces: null, name, box: null };
  }

  /** @param {Edit} edit */
  #ask(edit) {
    const { work } = this;
    const { picture } = work;
    if (!picture) return;
    const asked = { ...edit, gone: false, missed: false, waits: ++this.asking.count };
    work.selectedId = asked.id;
    const rest = work.edits.filter((one) => one.id !== asked.id);
    // The question is on its way while the page draws that it waits.
    this.asking.object(picture, asked);
    work.edit([...rest, asked]);
  }
}

/**
 * @param {Box} one
 * @param {Box} other
 */
function iou(one, other) {
  const wide = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const high = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  const both = Math.max(0, wide) * Math.max(0, high);
  const area = ([left, top, right, bottom] = one) => (right - left) * (bottom - top);
  return both / (area(one) + area(other) - both);
}

/**
 * A box that holds one more place.
 *
 * @param {Box} box
 * @param {number} x
 * @param {number} y
 * @returns {Box}
 */
function around(box, x, y) {
  return [Math.min(box[0], x - 1), Math.min(box[1], y - 1), Math.max(box[2], x + 1), Math.max(box[3], y + 1)];
}

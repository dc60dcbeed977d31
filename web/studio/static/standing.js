// @ts-check
/** Where the question stands: what the strip below the picture says. */

/**
 * @typedef {object} State
 * @property {"idle" | "uploading" | "asking" | "done" | "failed"} phase
 * @property {number} [share] Of a file that is on its way, 0 to 1.
 * @property {number} [since] When it was asked, as `performance.now()`.
 * @property {number} [ms] How long the last answer took.
 * @property {unknown} [error] Why it failed.
 * @property {() => void} [retry]
 */

/** Tells of changes by the event `change`. */
export class Standing extends EventTarget {
  constructor() {
    super();
    /** @type {State} */
    this.now = { phase: "idle" };
    /** What somebody's last step could not do; a late answer to a question does not take its place. @type {unknown} */
    this.word = null;
  }

  /** @param {State} state */
  set(state) {
    this.now = state;
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Say why a step was not taken, until the next one.
   *
   * @param {unknown} word A sentence or an error; null to take it back.
   */
  say(word) {
    if (this.word === word) return;
    this.word = word;
    this.dispatchEvent(new Event("change"));
  }
}

// @ts-check
/** Steps back and forward: whole states that share what did not change. */

/** Steps that are kept. */
const MOST = 200;

/** @template T */
export class Undo {
  /** @param {T} first */
  constructor(first) {
    /** @type {T[]} */
    this.states = [first];
    this.at = 0;
  }

  /** @returns {T} */
  get now() {
    return /** @type {T} */ (this.states[this.at]);
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.states.length - 1;
  }

  /**
   * Go on to a new state; what was undone is forgotten.
   *
   * @param {T} state
   */
  push(state) {
    this.states = [...this.states.slice(0, this.at + 1), state].slice(-MOST);
    this.at = this.states.length - 1;
  }

  /**
   * Change the present state without a step, as when an answer arrives.
   *
   * @param {(state: T) => T} change Of this and all other steps.
   */
  amend(change) {
    this.states = this.states.map(change);
  }

  undo() {
    if (this.canUndo) this.at--;
  }

  redo() {
    if (this.canRedo) this.at++;
  }
}

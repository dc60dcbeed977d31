// @ts-check
/** Where a picture lies on the screen: its scale, and the place of its upper left corner. */

/** Largest scale, and least share of the fitting one. */
const MOST = 40, LEAST = 0.4;

/** Pixels of the screen of a picture that always stay to be seen. */
const SEEN = 48;

export class View {
  constructor() {
    /** Pixels of the screen for a pixel of the picture. */
    this.scale = 1;
    /** Of the picture's upper left corner, pixels of the screen. */
    this.x = 0;
    this.y = 0;
    /** Of the stage, pixels of the screen. */
    this.width = 0;
    this.height = 0;
    /** Of the picture. */
    this.pictureWidth = 1;
    this.pictureHeight = 1;
    /** Whether the whole picture is to stay in sight, also when the stage changes. */
    this.fits = true;
  }

  /** The scale at which the whole picture fits, with room around where there is much. */
  get fitting() {
    const room = this.width > 600 ? 64 : 12;
    const across = (this.width - room) / this.pictureWidth;
    const down = (this.height - room) / this.pictureHeight;
    return Math.max(0.001, Math.min(across, down, 8));
  }

  fit() {
    this.scale = this.fitting;
    this.x = (this.width - this.pictureWidth * this.scale) / 2;
    this.y = (this.height - this.pictureHeight * this.scale) / 2;
    this.fits = true;
  }

  /**
   * @param {number} width Of the stage.
   * @param {number} height
   */
  resize(width, height) {
    this.x += (width - this.width) / 2;
    this.y += (height - this.height) / 2;
    this.width = width;
    this.height = height;
    if (this.fits) this.fit();
    else this.#keep();
  }

  /**
   * Zoom; what lies under a place of the screen stays there.
   *
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const least = Math.min(1, this.fitting) * LEAST;
    const scale = Math.min(MOST, Math.max(least, this.scale * factor));
    const real = scale / this.scale;
    this.x = x - (x - this.x) * real;
    this.y = y - (y - this.y) * real;
    this.scale = scale;
    this.fits = false;
    this.#keep();
  }

  /**
   * @param {number} x Pixels of the screen.
   * @param {number} y
   */
  pan(x, y) {
    this.x += x;
    this.y += y;
    this.fits = false;
    this.#keep();
  }

  /**
   * A place of the screen in pixels of the picture.
   *
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  toPicture(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  /**
   * A place of the picture in pixels of the screen.
   *
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  toScreen(x, y) {
    return [x * this.scale + this.x, y * this.scale + this.y];
  }

  #keep() {
    const [wide, high] = [this.pictureWidth * this.scale, this.pictureHeight * this.scale];
    this.x = Math.min(this.width - SEEN, Math.max(SEEN - wide, this.x));
    this.y = Math.min(this.height - SEEN, Math.max(SEEN - high, this.y));
  }
}

// @ts-check
/**
 * Masks in COCO's compressed run-length encoding, read without ever making a picture of them.
 *
 * Pixels are walked column by column; counts alternate background and foreground. Five bits a
 * character, low bits first; bit 5 says that more follow, bit 4 of the last one is the sign; from
 * the fourth count on, the difference to the count two places before is written. Source of the
 * format: `maskApi.c` (`rleFrString`) of the COCO API.
 */

/**
 * @typedef {object} Rle
 * @property {[number, number]} size Height, width.
 * @property {string} counts
 */

/** Runs of a mask: `toggles[0]` to `toggles[1]` is mask, and so on, in column-major positions. */
export class Runs {
  /**
   * @param {number} width Pixels.
   * @param {number} height Pixels.
   * @param {Uint32Array} toggles Rising; a start and an end for each run.
   */
  constructor(width, height, toggles) {
    this.width = width;
    this.height = height;
    this.toggles = toggles;
  }

  /** Pixels of the mask. */
  get area() {
    let pixels = 0;
    for (let i = 0; i < this.toggles.length; i += 2) pixels += at(this.toggles, i + 1) - at(this.toggles, i);
    return pixels;
  }

  /**
   * Whether a pixel is of the mask; what lies outside of the image is not.
   *
   * @param {number} x
   * @param {number} y
   */
  contains(x, y) {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return false;
    const position = Math.floor(x) * this.height + Math.floor(y);
    let low = 0;
    let high = this.toggles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(this.toggles, middle) <= position) low = middle + 1;
      else high = middle;
    }
    return low % 2 === 1;
  }

  /**
   * The mask's box: left, top, right, bottom, the last two exclusive; null of an empty mask.
   *
   * @returns {[number, number, number, number] | null}
   */
  get box() {
    const { toggles, height } = this;
    if (!toggles.length) return null;
    let top = height;
    let bottom = 0;
    for (let i = 0; i < toggles.length; i += 2) {
      const start = at(toggles, i);
      const last = at(toggles, i + 1) - 1;
      const crosses = Math.floor(start / height) !== Math.floor(last / height);
      top = crosses ? 0 : Math.min(top, start % height);
      bottom = crosses ? height : Math.max(bottom, (last % height) + 1);
    }
    const right = Math.floor((at(toggles, toggles.length - 1) - 1) / height) + 1;
    return [Math.floor(at(toggles, 0) / height), top, right, bottom];
  }

  /**
   * Put a value at each pixel of the mask.
   *
   * @template {{[index: number]: number, length: number}} T
   * @param {T} pixels Row by row, `width * height` of them.
   * @param {number} value
   * @returns {T}
   */
  paint(pixels, value) {
    const { toggles, width, height } = this;
    for (let i = 0; i < toggles.length; i += 2) {
      const end = at(toggles, i + 1);
      for (let position = at(toggles, i); position < end; position++) {
        pixels[(position % height) * width + Math.floor(position / height)] = value;
      }
    }
    return pixels;
  }
}

/**
 * Read a mask.
 *
 * @param {Rle} rle
 * @returns {Runs}
 * @throws {RangeError} The counts do not add up to the size.
 */
export function decode(rle) {
  const [height, width] = rle.size;
  const toggles = new Uint32Array(rle.counts.length + 1);
  let used = 0;
  let position = 0;
  let inside = false;
  eachCount(rle.counts, (count) => {
    if (count > 0 && inside) {
      // A run that begins where the last one ended goes on with it.
      if (used && toggles[used - 1] === position) used--;
      else toggles[used++] = position;
      toggles[used++] = position + count;
    }
    position += count;
    inside = !inside;
  });
  if (position !== width * height) throw new RangeError(`RLE does not add up to ${height} × ${width}`);
  return new Runs(width, height, toggles.slice(0, used));
}

/**
 * @param {string} text
 * @param {(count: number) => void} take
 */
function eachCount(text, take) {
  let before = 0;
  let last = 0;
  let index = 0;
  for (let at = 0; at < text.length; index++) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const bits = text.charCodeAt(at++) - 48;
      value |= (bits & 31) << shift;
      shift += 5;
      more = (bits & 32) !== 0;
      if (!more && bits & 16) value |= -1 << shift;
    }
    const count = index > 2 ? value + before : value;
    before = last;
    last = count;
    take(count);
  }
}

/**
 * @param {Uint32Array} values
 * @param {number} index Within them.
 */
function at(values, index) {
  return /** @type {number} */ (values[index]);
}

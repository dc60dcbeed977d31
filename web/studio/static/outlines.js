// @ts-check
/**
 * Outlines of masks, traced from their runs in time that grows with the outline, not with the area.
 *
 * Each end of a run is a unit edge below or above a pixel. It has one neighbour to the left and one
 * to the right: the same end in the next column, or another end to which an upright edge leads. So
 * each loop is a walk from neighbour to neighbour. Corners are cut between the middles of edges:
 * an outline looks smooth, and still holds the centres of the mask's pixels and no others.
 */

/** @typedef {import("./rle.js").Runs} Runs */

/**
 * The ends of the runs by column.
 *
 * @typedef {object} Ends
 * @property {number[]} x Column of each end.
 * @property {number[]} y Its edge lies above this row.
 * @property {boolean[]} opens Whether the mask begins below the edge.
 * @property {number[]} first Place of each column's first end, from `left` on; one more at last.
 * @property {number} left The first column.
 */

/**
 * Closed rings around a mask: x and y in turn. What an odd number of rings encloses is the mask.
 *
 * @param {Runs} runs
 * @returns {number[][]}
 */
export function rings(runs) {
  const ends = endsOf(runs);
  const [before, after] = neighbours(ends);
  const seen = new Uint8Array(ends.x.length);
  const found = [];
  for (let start = 0; start < seen.length; start++) {
    if (!seen[start]) found.push(walk(ends, before, after, seen, start));
  }
  return found;
}

/** Pixels of the screen by which a drawn outline may lie beside the traced one: nobody sees it. */
const BESIDE = 0.5;

/** Scale from which on people look at the pixels of a mask: its outline is drawn as it was traced. */
const EXACT = 4;

/**
 * The outline of one mask, to fill (`evenodd`) and to stroke, in pixels of the mask's image. Painting
 * takes as long as it has corners, so each scale has a path with as few as are to be seen.
 */
export class Outline {
  /** @param {Runs} runs */
  constructor(runs) {
    this.rings = rings(runs).map((ring) => Float32Array.from(ring));
    /** @type {Map<number, Path2D>} By the logarithm of the scale. */
    this.paths = new Map();
  }

  /** @param {number} scale Pixels of the screen for one of the mask. */
  path(scale) {
    const level = scale < EXACT ? Math.ceil(4 * Math.log2(scale)) : Infinity;
    let path = this.paths.get(level);
    if (!path) this.paths.set(level, path = pathOf(this.rings, BESIDE / 2 ** (level / 4)));
    return path;
  }
}

/**
 * @param {Iterable<ArrayLike<number>>} rings
 * @param {number} tolerance 0: every corner.
 */
function pathOf(rings, tolerance) {
  const path = new Path2D();
  for (const whole of rings) {
    const ring = tolerance ? simplified(whole, tolerance) : whole;
    path.moveTo(n(ring, 0), n(ring, 1));
    for (let i = 2; i < ring.length; i += 2) path.lineTo(n(ring, i), n(ring, i + 1));
    path.closePath();
  }
  return path;
}

/**
 * A ring with fewer corners, all of them its own, by one walk: a side goes on while one line passes
 * each corner since its beginning within the tolerance (Zhao and Saalfeld 1997).
 *
 * @param {ArrayLike<number>} ring x and y in turn.
 * @param {number} tolerance Largest distance of a corner that goes from the side in its place.
 * @returns {ArrayLike<number>}
 */
export function simplified(ring, tolerance) {
  let x = n(ring, 0), y = n(ring, 1);
  const kept = [x, y], near = tolerance * tolerance;
  // How far the side has come, squared, and the directions still open: between two vectors.
  let far = 0, lx = 0, ly = 0, rx = 0, ry = 0;
  for (let i = 2; i < ring.length; i += 2) {
    let dx = n(ring, i) - x, dy = n(ring, i + 1) - y, away = dx * dx + dy * dy;
    // On the way back, what lies farther would be beyond the side's end.
    if (away < far || lx * dy - ly * dx > 0 || rx * dy - ry * dx < 0) {
      x = n(ring, i - 2);
      y = n(ring, i - 1);
      kept.push(x, y);
      dx = n(ring, i) - x;
      dy = n(ring, i + 1) - y;
      away = dx * dx + dy * dy;
      lx = ly = rx = ry = 0;
    }
    far = away;
    if (away <= near) continue;
    // The lines that pass this corner within the tolerance to its left and to its right.
    const ahead = Math.sqrt(away - near);
    const ax = dx * ahead - dy * tolerance, ay = dy * ahead + dx * tolerance;
    const bx = dx * ahead + dy * tolerance, by = dy * ahead - dx * tolerance;
    const first = lx === 0 && ly === 0;
    if (first || lx * ay - ly * ax < 0) {
      lx = ax;
      ly = ay;
    }
    if (first || rx * by - ry * bx > 0) {
      rx = bx;
      ry = by;
    }
  }
  kept.push(n(ring, ring.length - 2), n(ring, ring.length - 1));
  // What is smaller than the tolerance is still to be seen.
  return kept.length < 6 ? ring : kept;
}

/**
 * @param {Runs} runs
 * @returns {Ends}
 */
function endsOf({ toggles, height }) {
  /** @type {Ends} */
  const ends = { x: [], y: [], opens: [], first: [0], left: Math.floor((toggles[0] ?? 0) / height) };
  let column = ends.left;
  for (let i = 0; i < toggles.length; i += 2) {
    let start = n(toggles, i);
    const end = n(toggles, i + 1);
    while (start < end) {
      const x = Math.floor(start / height);
      const stop = Math.min(end, (x + 1) * height);
      for (; column < x; column++) ends.first.push(ends.x.length);
      ends.x.push(x, x);
      ends.y.push(start - x * height, stop - x * height);
      ends.opens.push(true, false);
      start = stop;
    }
  }
  ends.first.push(ends.x.length);
  return ends;
}

/**
 * The left and the right neighbour of each end.
 *
 * @param {Ends} ends
 * @returns {[Int32Array, Int32Array]}
 */
function neighbours(ends) {
  const before = new Int32Array(ends.x.length);
  const after = new Int32Array(ends.x.length);
  const columns = ends.first.length - 1;
  for (let column = 0; column <= columns; column++) {
    const open = between(ends, column, before, after);
    for (let i = 0; i < open.length; i += 2) {
      const [a, b] = [n(open, i), n(open, i + 1)];
      (isLeft(ends, a, column) ? after : before)[a] = b;
      (isLeft(ends, b, column) ? after : before)[b] = a;
    }
  }
  return [before, after];
}

/**
 * Join the ends that go on from one column into the next; the answer are all others by their row,
 * two of which always belong together.
 *
 * @param {Ends} ends
 * @param {number} column The right one of both.
 * @param {Int32Array} before
 * @param {Int32Array} after
 */
function between(ends, column, before, after) {
  let [i, iEnd] = [n(ends.first, Math.max(0, column - 1)), n(ends.first, column)];
  let [j, jEnd] = [iEnd, ends.first[column + 1] ?? iEnd];
  const open = [];
  while (i < iEnd || j < jEnd) {
    const up = i < iEnd ? n(ends.y, i) : Infinity;
    const down = j < jEnd ? n(ends.y, j) : Infinity;
    if (up === down && ends.opens[i] === ends.opens[j]) {
      after[i] = j;
      before[j] = i;
      i++;
      j++;
    } else if (up < down || (up === down && !ends.opens[i])) open.push(i++);
    else open.push(j++);
  }
  return open;
}

/**
 * @param {Ends} ends
 * @param {number} end
 * @param {number} column Right of the boundary.
 */
function isLeft(ends, end, column) {
  return n(ends.x, end) < ends.left + column;
}

/**
 * @param {Ends} ends
 * @param {Int32Array} before
 * @param {Int32Array} after
 * @param {Uint8Array} seen
 * @param {number} start
 */
function walk(ends, before, after, seen, start) {
  /** @type {number[]} */
  const ring = [];
  let end = start;
  let rightwards = true;
  do {
    seen[end] = 1;
    const [x, y] = [n(ends.x, end), n(ends.y, end)];
    put(ring, x + 0.5, y);
    /** @type {number} */
    const next = n(rightwards ? after : before, end);
    const to = n(ends.y, next);
    if (to !== y) {
      const way = to > y ? 0.5 : -0.5;
      put(ring, rightwards ? x + 1 : x, y + way);
      put(ring, rightwards ? x + 1 : x, to - way);
    }
    if (n(ends.x, next) === x) rightwards = !rightwards;
    end = next;
  } while (end !== start);
  return ring;
}

/**
 * Add a corner; one that lies on the way from the last to this one goes.
 *
 * @param {number[]} ring
 * @param {number} x
 * @param {number} y
 */
function put(ring, x, y) {
  const last = ring.length;
  if (last && ring[last - 2] === x && ring[last - 1] === y) return;
  if (last >= 4) {
    const [ax, ay, bx, by] = [n(ring, last - 4), n(ring, last - 3), n(ring, last - 2), n(ring, last - 1)];
    if ((bx - ax) * (y - by) === (by - ay) * (x - bx)) {
      ring[last - 2] = x;
      ring[last - 1] = y;
      return;
    }
  }
  ring.push(x, y);
}

/**
 * @param {ArrayLike<number>} values
 * @param {number} index Within them.
 */
function n(values, index) {
  return /** @type {number} */ (values[index]);
}

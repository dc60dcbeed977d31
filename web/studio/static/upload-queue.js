// @ts-check
/**
 * Files on their way into an upload: several at once, tried again, and not sent twice.
 *
 * What is there already, by name and size, is not sent; so a page that was closed goes on where it
 * was once somebody gives it the same files again. Large files go in parts.
 */

import { ApiError, get, upload } from "./api.js";
import { isManifest } from "./dropped.js";
import { refusalOfTask } from "./task-refusal.js";

/** Files at once; bytes of a part, and of a file that goes in parts. */
const AT_ONCE = 4, PART = 16 * 1024 * 1024, IN_PARTS = 2 * PART;

/** Milliseconds before a file is tried again, each time; then it has failed. */
const PAUSES = [500, 2000, 6000];

/** Milliseconds between two looks at an archive that is unpacked. */
const LOOK = 700;

/** @typedef {"waiting" | "sending" | "unpacking" | "there" | "failed" | "known"} State */

/**
 * @typedef {object} Item
 * @property {string} name
 * @property {File | null} file null: it was there before.
 * @property {number} size Bytes.
 * @property {number} sent Bytes.
 * @property {State} state "known": it was there before this page sent anything.
 * @property {unknown} error Why it failed.
 * @property {Record<string, number> | null} passed What of an archive is no picture, by kind.
 * @property {number} images How many pictures it holds.
 */

export class UploadQueue {
  /**
   * @param {string} uploadId
   * @param {() => void} onchange Called at most once a frame.
   */
  constructor(uploadId, onchange) {
    this.id = uploadId;
    this._onchange = onchange;
    /** @type {Map<string, Item>} */
    this.items = new Map();
    /** @type {Item[]} */
    this._waiting = [];
    this._running = 0;
    this._told = false;
    this._stop = new AbortController();
  }

  /** Read what is there from an earlier visit. */
  async resume() {
    let after = "";
    for (;;) {
      const page = await get(`/api/v1/uploads/${this.id}/files`, { query: { after, limit: 1000 } });
      for (const { name, size } of page.files) {
        if (size !== null) this.items.set(name, known(name, size));
      }
      if (page.next === null) break;
      after = page.next;
    }
    this._tell();
  }

  /**
   * Whether a file is here or on its way.
   *
   * @param {string} name
   * @param {number} size
   */
  has(name, size) {
    const item = this.items.get(name);
    return item !== undefined && item.state !== "failed" && item.size === size;
  }

  /**
   * Send more files.
   *
   * @param {{name: string, file: File}[]} files
   */
  add(files) {
    for (const { name, file } of files) {
      const images = isManifest(name) ? 0 : 1;
      /** @type {Item} */
      const item = { name, file, size: file.size, sent: 0, state: "waiting", error: null, passed: null, images };
      this.items.set(name, item);
      this._waiting.push(item);
    }
    this._go();
  }

  /** Try again what failed. */
  retry() {
    for (const item of this.items.values()) {
      if (item.state !== "failed" || !item.file) continue;
      Object.assign(item, { state: "waiting", sent: 0, error: null });
      this._waiting.push(item);
    }
    this._go();
  }

  /** Leave out what failed. */
  dropFailed() {
    for (const [name, item] of this.items) if (item.state === "failed") this.items.delete(name);
    this._tell();
  }

  /** Stop for good. */
  close() {
    this._stop.abort();
    this._waiting = [];
  }

  /** Whether something is still on its way. */
  get busy() {
    return this._running > 0 || this._waiting.length > 0;
  }

  /** @param {State} state */
  count(state) {
    let count = 0;
    for (const item of this.items.values()) if (item.state === state) count++;
    return count;
  }

  /** The list that names the pictures of the batch, once it is there; the last one counts. */
  get manifest() {
    const there = [...this.items.values()].filter(({ name, state }) =>
      isManifest(name) && (state === "there" || state === "known")
    );
    return there[there.length - 1]?.name ?? null;
  }

  /** Pictures that are there, as far as is known. */
  get images() {
    let count = 0;
    for (const item of this.items.values()) {
      if (item.state === "there" || item.state === "known") count += item.images;
    }
    return count;
  }

  _go() {
    while (this._running < AT_ONCE && this._waiting.length && !this._stop.signal.aborted) {
      const item = /** @type {Item} */ (this._waiting.shift());
      this._running++;
      this._work(item).finally(() => {
        this._running--;
        this._go();
      });
    }
    this._tell();
  }

  /** @param {Item} item */
  async _work(item) {
    item.state = "sending";
    for (let attempt = 0;; attempt++) {
      try {
        const answer = await this._send(item);
        if (answer?.task) await this._unpacked(item, answer.task);
        item.state = "there";
        item.file = null; // nothing of it is kept in the memory of this page
        return;
      } catch (error) {
        const pause = PAUSES[attempt];
        if (this._stop.signal.aborted) return;
        if (!isPassing(error) || pause === undefined) {
          Object.assign(item, { state: "failed", error });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** @param {Item} item */
  async _send(item) {
    const file = /** @type {File} */ (item.file);
    const path = `/api/v1/uploads/${this.id}/files/${pathOf(item.name)}`;
    if (file.size < IN_PARTS) return this._put(item, path, file, 0);
    const count = Math.ceil(file.size / PART);
    const asked = { query: { of: count }, signal: this._stop.signal };
    const there = await get(`/api/v1/uploads/${this.id}/parts/${pathOf(item.name)}`, asked);
    const missing = Array.from({ length: count }, (_, at) => at + 1)
      .filter((number) => !there.parts.includes(number));
    // All parts and no file: the joining was cut off. The last one once more joins them.
    if (!missing.length) missing.push(count);
    let answer = null, sent = (count - missing.length) * PART;
    for (const number of missing) {
      const slice = file.slice((number - 1) * PART, number * PART);
      answer = await this._put(item, `${path}?part=${number}&of=${count}`, slice, sent);
      sent += slice.size;
    }
    return answer;
  }

  /**
   * @param {Item} item
   * @param {string} path
   * @param {Blob} blob
   * @param {number} before Bytes of the file that were sent before this.
   */
  _put(item, path, blob, before) {
    const onprogress = (/** @type {number} */ sent) => {
      item.sent = Math.min(item.size, before + sent);
      this._tell();
    };
    return upload(path, blob, { onprogress, signal: this._stop.signal });
  }

  /**
   * Wait until an archive is unpacked.
   *
   * @param {Item} item
   * @param {string} task
   */
  async _unpacked(item, task) {
    item.state = "unpacking";
    this._tell();
    for (;;) {
      const found = await get(`/api/v1/tasks/${task}`, { signal: this._stop.signal });
      if (found.state === "done") {
        item.images = found.result?.files ?? 0;
        item.passed = found.result?.passed_over ?? null;
        return;
      }
      if (found.state === "failed" || found.state === "cancelled") throw refusalOfTask(found);
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
  }

  _tell() {
    if (this._told) return;
    this._told = true;
    requestAnimationFrame(() => {
      this._told = false;
      this._onchange();
    });
  }
}

/**
 * @param {string} name
 * @param {number} size
 * @returns {Item}
 */
function known(name, size) {
  const images = name.toLowerCase().endsWith(".zip") || isManifest(name) ? 0 : 1;
  return { name, file: null, size, sent: size, state: "known", error: null, passed: null, images };
}

/**
 * Whether a failure may be over in a moment.
 *
 * @param {unknown} error
 */
function isPassing(error) {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

/** @param {string} name */
function pathOf(name) {
  return name.split("/").map(encodeURIComponent).join("/");
}

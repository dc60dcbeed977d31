// @ts-check
/** Pictures come: dropped, pasted, picked, as a sample or out of a batch; and go into the pool. */

import { ask, get, post, root, upload } from "./api.js";
import { byId, el, on, show, swap } from "./dom.js";
import { picture as load } from "./picture.js";
import { fitted } from "./view-size.js";
import { newPicture } from "./work.js";
import { t } from "./words.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./work.js").Picture} Picture */
/** @typedef {import("./work.js").Origin} Origin */
/** @typedef {import("./mask-canvas.js").MaskCanvas} MaskCanvas */

/** Decoded pictures that are kept: this one, two beside it, and some to come back to. */
const KEPT = 5;

/** Pictures that one drop may bring here; more are for a batch. */
const MOST = 50;

/**
 * Where the view of a picture of the pool is.
 *
 * @param {Origin} origin
 * @param {"view" | "original" | "thumbnail"} [kind]
 */
export function pathOf(origin, kind = "view") {
  if ("batch" in origin) return `/api/v1/batches/${origin.batch}/images/${origin.image}/${kind}`;
  return `/api/v1/uploads/${origin.upload}/${kind}/${encoded(origin.file)}`;
}

/** @param {string} name */
function encoded(name) {
  return name.split("/").map(encodeURIComponent).join("/");
}

export class Pictures {
  /**
   * @param {Work} work
   * @param {MaskCanvas} canvas
   * @param {import("./standing.js").Standing} standing
   */
  constructor(work, canvas, standing) {
    this.work = work;
    this.canvas = canvas;
    this.standing = standing;
    /** @type {Picture | null} The one on the canvas. */
    this.seen = null;
    /** Told of each picture once it is on the canvas. @type {(picture: Picture) => void} */
    this.onshown = () => {};
    /** @type {Map<Picture, Promise<Origin>>} */
    this.coming = new Map();
    /** @type {Map<Picture, Promise<ImageBitmap>>} Of the last ones and their neighbours. */
    this.bitmaps = new Map();
    this.#wire();
  }

  /** @param {Iterable<File>} files */
  addFiles(files) {
    const some = [...files].filter(isPicture).slice(0, MOST);
    if (!some.length) {
      this.standing.say(t("try.no_pictures"));
      return;
    }
    this.add(some.map((file) => newPicture(file.name || "picture.png", file, null)));
  }

  /** @param {Picture[]} pictures */
  add(pictures) {
    this.work.pictures = [...this.work.pictures, ...pictures];
    this.go(this.work.pictures.length - pictures.length);
  }

  /** @param {number} at */
  go(at) {
    if (!this.work.pictures[at]) return;
    this.standing.say(null);
    Object.assign(this.work, { at, selectedId: "", hoveredId: "", items: [] });
    this.work.tell("pictures");
    this.show();
  }

  /** Show the present picture, and get the next one ready. */
  async show() {
    const { work, canvas } = this;
    const picture = work.picture;
    if (!picture) return;
    this.seen = picture;
    try {
      const bitmap = await this.#bitmap(picture);
      if (work.picture !== picture) return;
      const [width, height] = picture.answer ? this.#sizeOf(picture) : fitted(bitmap.width, bitmap.height);
      work.size = { width, height };
      canvas.show(bitmap, width, height);
      work.rebuild();
      work.tell("pictures");
      this.onshown(picture);
    } catch (error) {
      if (work.picture === picture) this.standing.set({ phase: "failed", error, retry: () => this.show() });
    }
    for (const at of [work.at - 1, work.at + 1]) {
      const near = work.pictures[at];
      if (near?.origin || near?.blob) this.#bitmap(near).catch(() => {});
    }
  }

  /**
   * Where a picture is in the pool; it is sent there first where it is not.
   *
   * @param {Picture} picture
   * @returns {Promise<Origin>}
   */
  brought(picture) {
    if (picture.origin) return Promise.resolve(picture.origin);
    const coming = this.coming.get(picture) ?? this.#send(picture);
    this.coming.set(picture, coming);
    coming.catch(() => this.coming.delete(picture));
    return coming;
  }

  /** @param {HTMLElement} button Of a sample. */
  async sample(button) {
    const path = (button.dataset.sample ?? "").slice(root.length);
    const response = await ask("GET", path);
    this.addFiles([new File([await response.blob()], button.dataset.name ?? "sample.jpg", { type: "image/jpeg" })]);
  }

  /**
   * @param {string} batch
   * @param {number} image
   */
  async fromBatch(batch, image) {
    const one = await get(`/api/v1/batches/${batch}/images/${image}`, { query: { masks: "none" } });
    this.add([newPicture(one.name, null, { batch, image })]);
  }

  /**
   * A picture as it is drawn, from memory if it was there before.
   *
   * @param {Picture} picture
   */
  #bitmap(picture) {
    const known = this.bitmaps.get(picture) ?? this.#decode(picture);
    this.bitmaps.delete(picture);
    this.bitmaps.set(picture, known);
    known.catch(() => this.bitmaps.delete(picture));
    for (const old of this.bitmaps.keys()) {
      if (this.bitmaps.size <= KEPT) break;
      this.bitmaps.delete(old);
    }
    return known;
  }

  /** @param {Picture} picture */
  async #decode(picture) {
    if (picture.blob) {
      // What a browser cannot read, as TIFF, the server shows.
      const own = await createImageBitmap(picture.blob).catch(() => null);
      if (own) return own;
    }
    return load(pathOf(await this.brought(picture)));
  }

  /** @param {Picture} picture @returns {[number, number]} */
  #sizeOf({ answer }) {
    return answer ? fitted(answer.width, answer.height) : [1, 1];
  }

  /** @param {Picture} picture @returns {Promise<Origin>} */
  async #send(picture) {
    const { standing, work } = this;
    const blob = /** @type {Blob} */ (picture.blob);
    const onprogress = (/** @type {number} */ sent, /** @type {number} */ all) => {
      if (work.picture === picture) standing.set({ phase: "uploading", share: all ? sent / all : 0 });
    };
    onprogress(0, 1);
    const made = await post("/api/v1/uploads", { name: picture.name.slice(0, 200) }, { key: true });
    const file = picture.name.replace(/[\\/]/g, "_");
    await upload(`/api/v1/uploads/${made.id}/files/${encoded(file)}`, blob, { onprogress });
    picture.origin = { upload: made.id, file };
    this.work.tell("pictures");
    return picture.origin;
  }

  /** What stands around the picture. */
  #frame() {
    const { work } = this;
    const { picture } = work;
    document.getElementById("main")?.classList.toggle("try--first", !picture);
    for (const [id, yes] of /** @type {[string, boolean][]} */ ([
      ["first", !picture],
      ["canvas", picture !== null],
      ["zoom", picture !== null],
    ])) show(document.getElementById(id), yes);
    const name = byId("picture-name", HTMLElement);
    const size = picture?.answer ? `${picture.answer.width} × ${picture.answer.height}` : "";
    const place = work.pictures.length > 1 ? t("try.place", { at: work.at + 1, of: work.pictures.length }) : "";
    if (picture) swap(name, el("b", { title: picture.name }, picture.name), el("span", { class: "num" }, size || place));
    else swap(name, el("b", { class: "muted" }, t("try.no_picture")));
  }

  #wire() {
    const { work } = this;
    const file = byId("file", HTMLInputElement);
    const stage = byId("stage", HTMLElement);
    on(file, "change", () => {
      this.addFiles(file.files ?? []);
      file.value = "";
    });
    document.querySelectorAll("[data-sample]").forEach((one) =>
      on(one, "click", () => this.sample(/** @type {HTMLElement} */ (one)).catch((error) => this.standing.say(error)))
    );
    work.on("pictures", () => this.#frame());
    work.on("items", () => this.#size());
    on(document, "paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.addFiles(files);
    });
    on(document, "dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    on(document, "dragleave", (event) => event.relatedTarget || over(false));
    on(document, "drop", (event) => {
      event.preventDefault();
      over(false);
      this.addFiles(event.dataTransfer?.files ?? []);
    });
    const over = (/** @type {boolean} */ yes) => {
      stage.classList.toggle("is-over", yes && work.picture !== null);
      byId("drop", HTMLElement).classList.toggle("is-over", yes);
    };
  }

  /** Masks may tell another size than the browser's own reading of the file. */
  #size() {
    const [height, width] = this.work.items[0]?.shown.segmentation.size ?? [0, 0];
    const { size } = this.work;
    if (!width || (size.width === width && size.height === height)) return;
    this.work.size = { width, height };
    Object.assign(this.canvas.view, { pictureWidth: width, pictureHeight: height });
    this.canvas.fit();
  }
}

/** @param {File} file */
function isPicture(file) {
  return file.type.startsWith("image/") || /\.(jpe?g|png|webp|bmp|gif|tiff?|heic|heif|jp2)$/i.test(file.name);
}

// @ts-check
/** Downloads: masks as PNG, cut-outs, COCO. Masks come anew in the size of the picture itself. */

import { ask } from "./api.js";
import { again } from "./asking.js";
import { askFiner } from "./finer.js";
import { picture as load } from "./picture.js";
import { decode } from "./rle.js";
import { pathOf } from "./try-pictures.js";

/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./items.js").Item} Item */
/** @typedef {import("./rle.js").Rle} Rle */
/** @typedef {{item: Item, rle: Rle}} Full */

const FULL = { masks: "rle", which: "stored", scale: "original" };

/**
 * The masks of some items in the size of the picture.
 *
 * @param {Work} work
 * @param {Item[]} items
 * @returns {Promise<Full[]>}
 */
async function full(work, items) {
  const answer = work.picture?.answer;
  const stored = items.filter((one) => !one.edit?.found).map((one) => one.instance.ordinal);
  const found = answer && stored.length ? await fullOf(answer.link, stored, work.refine) : new Map();
  return Promise.all(
    items.map(async (item) => {
      const { edit } = item;
      if (!edit?.found) return { item, rle: /** @type {Rle} */ (found.get(item.instance.ordinal)) };
      const drawn = (await fullOf(edit.link, [0], work.refine)).get(0);
      return { item, rle: drawn ?? edit.found.segmentation };
    }),
  );
}

/**
 * Masks of an answer by their ordinals, as fine as they are shown.
 *
 * @param {string} link
 * @param {number[]} ordinals
 * @param {import("./fineness.js").Fineness} level
 */
async function fullOf(link, ordinals, level) {
  /** @type {Map<number, Rle>} */
  const found = new Map();
  const take = (/** @type {{instances: any[]}} */ { instances }) => {
    for (const one of instances) found.set(one.ordinal, one.segmentation);
  };
  if (level === "none") take(await again(link, FULL));
  else await askFiner((query) => again(link, { ...FULL, ...query }), ordinals, level, take);
  return found;
}

/** One PNG, white on black, of each mask that counts. @param {Work} work @param {Item[]} items */
export async function downloadMasks(work, items) {
  for (const { item, rle } of await full(work, items)) {
    save(await png(pixels(rle, (_, data) => decode(rle).paint(data, 0xffffffff), 0xff000000)), `${fileName(work, item)}.png`);
    // A browser drops files that come at once.
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
}

/**
 * One PNG whose grey says which mask a pixel is of: 1 is the first row, 0 is none; the better mask
 * wins where two lie on each other.
 *
 * @param {Work} work
 */
export async function downloadLabels(work) {
  const masks = await full(work, work.shown);
  const first = masks[0]?.rle;
  if (!first) return;
  const canvas = pixels(first, (_, data) => {
    [...masks].reverse().forEach(({ rle }, back) => {
      const number = Math.min(255, masks.length - back);
      decode(rle).paint(data, (0xff000000 | (number << 16) | (number << 8) | number) >>> 0);
    });
  }, 0xff000000);
  save(await png(canvas), `${stem(work)}-labels.png`);
}

/**
 * What the masks hold of the picture; all else is transparent.
 *
 * @param {Work} work
 * @param {Item[]} items
 */
export async function downloadCutout(work, items) {
  const masks = await full(work, items);
  const first = masks[0]?.rle;
  if (!first) return;
  const canvas = pixels(first, (_, data) => masks.forEach(({ rle }) => decode(rle).paint(data, 0xff000000)), 0);
  const ink = canvas.getContext("2d");
  if (!ink) return;
  ink.globalCompositeOperation = "source-in";
  ink.drawImage(await original(work), 0, 0, canvas.width, canvas.height);
  const [only] = items;
  save(await png(canvas), `${only && items.length === 1 ? fileName(work, only) : stem(work)}-cutout.png`);
}

/** A COCO file of what counts. @param {Work} work */
export async function downloadCoco(work) {
  const { picture } = work;
  const masks = await full(work, work.shown);
  const [height, width] = masks[0]?.rle.size ?? [picture?.answer?.height ?? 0, picture?.answer?.width ?? 0];
  const names = [...new Set([...work.prompts.map((one) => one.name), ...masks.map(({ item }) => item.name)])];
  const coco = {
    images: [{ id: 1, file_name: picture?.name ?? "", width, height }],
    categories: names.map((name, at) => ({ id: at + 1, name })),
    annotations: masks.map(({ item, rle }, at) => {
      const runs = decode(rle);
      const [left, top, right, bottom] = runs.box ?? [0, 0, 0, 0];
      return {
        id: at + 1,
        image_id: 1,
        category_id: names.indexOf(item.name) + 1,
        segmentation: rle,
        area: runs.area,
        bbox: [left, top, right - left, bottom - top],
        iscrowd: 0,
        score: item.shown.score,
      };
    }),
  };
  save(new Blob([JSON.stringify(coco)], { type: "application/json" }), `${stem(work)}-coco.json`);
}

/**
 * The picture in its own size, or its view where a browser cannot read the file.
 *
 * @param {Work} work
 */
async function original({ picture }) {
  if (!picture) throw new Error("there is no picture");
  if (picture.origin) {
    const blob = picture.blob ?? (await (await ask("GET", pathOf(picture.origin, "original"))).blob());
    const own = await createImageBitmap(blob).catch(() => null);
    return own ?? load(pathOf(picture.origin));
  }
  return createImageBitmap(/** @type {Blob} */ (picture.blob));
}

/**
 * A canvas of a mask's size, painted pixel by pixel.
 *
 * @param {Rle} rle
 * @param {(size: [number, number], data: Uint32Array) => void} paint
 * @param {number} ground As ABGR.
 */
function pixels({ size: [height, width] }, paint, ground) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const data = new Uint32Array(image.data.buffer).fill(ground);
  paint([height, width], data);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<Blob>}
 */
function png(canvas) {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large for this browser"))), "image/png")
  );
}

/** @param {Work} work */
function stem({ picture }) {
  return (picture?.name.split("/").at(-1) ?? "picture").replace(/\.[^.]+$/, "");
}

/** @param {Work} work @param {Item} item */
function fileName(work, item) {
  return `${stem(work)}-${item.name.replace(/[^\p{L}\p{N}]+/gu, "_")}-${item.number}`;
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

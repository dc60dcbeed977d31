// @ts-check
/** Prompts of a new batch that stand elsewhere: in a spec file, or in an earlier batch. */

import { explain, get, post } from "./api.js";
import { byId, el, show, swap } from "./dom.js";
import { readSpec } from "./spec-form.js";
import { t } from "./words.js";

/** @import { Asked } from "./spec-form.js" */

/** Batches that are offered. */
const EARLIER = 50;

/** @param {(asked: Asked, from: string) => void} takeOver */
export function wireTakenFrom(takeOver) {
  /** @param {() => Promise<[Asked, string] | null>} read What to take over, and from where. */
  const take = async (read) => {
    try {
      const found = await read();
      if (found) takeOver(...found);
    } catch (error) {
      swap(byId("taken-over", HTMLElement), el("span", { class: "hint--bad", role: "alert" }, explain(error)));
    }
  };
  wireFile(take);
  wireEarlier(take);
}

/** @typedef {(read: () => Promise<[Asked, string] | null>) => Promise<void>} Take */

/** @param {Take} take */
function wireFile(take) {
  const field = byId("spec-file", HTMLInputElement);
  field.addEventListener("change", async () => {
    const file = field.files?.[0];
    if (!file) return;
    await take(async () => {
      const { spec } = await post("/api/v1/specs", { text: await file.text() });
      return [readSpec(spec), t("prompts.from_file", { name: file.name })];
    });
    field.value = "";
  });
  byId("pick-spec", HTMLElement).addEventListener("click", () => field.click());
}

/** @param {Take} take */
function wireEarlier(take) {
  const earlier = byId("earlier", HTMLSelectElement);
  get("/api/v1/batches", { query: { limit: EARLIER } }).then(({ batches }) => {
    earlier.append(...batches.map((/** @type {any} */ one) => el("option", { value: one.id }, one.name)));
    show(byId("earlier-field", HTMLElement), batches.length > 0);
  }).catch(() => {});
  earlier.addEventListener("change", async () => {
    const wanted = earlier.value;
    if (!wanted) return;
    await take(async () => {
      const { spec, reading, name } = await get(`/api/v1/batches/${wanted}`);
      // Another one may have been chosen since, and its answer may be here already.
      return earlier.value === wanted ? [readSpec(spec, reading), t("prompts.from_batch", { name })] : null;
    });
    if (earlier.value === wanted) earlier.value = "";
  });
}

// @ts-check
/** The switch of Try that shows stored masks finer; nobody asks the model again for it. */

import { byId, on, swap } from "./dom.js";
import { LEVELS, remember, remembered } from "./fineness.js";
import { part } from "./part.js";
import { t } from "./words.js";

/**
 * @param {import("./work.js").Work} work
 * @param {(error: unknown) => void} say
 */
export function wireFineness(work, say) {
  const select = byId("refine", HTMLSelectElement), hint = byId("refine-hint", HTMLElement);
  /** @type {Promise<import("./try-finer.js").TryFiner> | null} */
  let loading = null;
  const load = async () => {
    const { TryFiner } = await part(() => import("./try-finer.js"));
    return new TryFiner(work, hint);
  };
  const choose = () => {
    work.refine = LEVELS.find((one) => one === select.value) ?? "none";
    remember(work.refine);
    if (work.refine === "none") swap(hint, t("refine.hint"));
    if (work.refine === "none" && !loading) return;
    loading ??= load();
    loading.then((one) => one.change()).catch((error) => {
      loading = null;
      say(error);
    });
  };
  select.value = remembered();
  on(select, "change", choose);
  choose();
}

// @ts-check
/** How the pool's own model is read where nobody says otherwise. */

import { get } from "./api.js";
import { learnUsual } from "./reading.js";

/** Ask the pool; `usual` of `reading.js` says it from then on. */
export async function askUsual() {
  /** @type {{default: boolean, reading: import("./reading.js").Reading}[]} */
  const models = await get("/api/v1/models");
  const own = models.find((one) => one.default);
  if (own) learnUsual(own.reading);
}

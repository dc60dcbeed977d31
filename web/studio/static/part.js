// @ts-check
/** Parts of a page that are loaded when somebody wants them. */

import { ApiError } from "./api.js";

/**
 * Load a part.
 *
 * @template T
 * @param {() => Promise<T>} load As `() => import("./try-code.js")`: pages hold the words of what is named so.
 * @returns {Promise<T>}
 * @throws {ApiError} It was not loaded: the server was not reached. It may be wanted again.
 */
export async function part(load) {
  try {
    return await load();
  } catch (error) {
    // What the part itself does wrong is no matter of the network.
    if (!(error instanceof TypeError)) throw error;
    document.dispatchEvent(new Event("maskpool:doubt"));
    throw new ApiError(0, "part", error.message);
  }
}

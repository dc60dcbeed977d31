// @ts-check
/**
 * The REST API, as any script may use it; the browser adds the session's cookie.
 *
 * Refusals become `ApiError`. Whether the server was reached is told to `document` by the events
 * `maskpool:lost` and `maskpool:reached`.
 */

import { known, t } from "./words.js";

/** Path before all addresses, as `/pool`; empty for none. */
export const root = document.documentElement.dataset.root ?? "";

/** A refusal: `code` never changes and is what a page may branch on. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where the server was not reached.
   * @param {string} code
   * @param {string} detail In English.
   * @param {Record<string, any>} [params]
   */
  constructor(status, code, detail, params = {}) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.params = params;
  }
}

/**
 * @typedef {object} Options
 * @property {Record<string, unknown>} [query] Left out: undefined, null. A list: once for each.
 * @property {unknown} [body] Sent as JSON; a Blob as it is.
 * @property {string | true} [key] Idempotency-Key; true: a new one.
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {boolean} [quiet] A 401 does not lead to the login page.
 */

/**
 * An address under the server's prefix.
 *
 * @param {string} path As `/api/v1/pool`.
 * @param {Record<string, unknown>} [query]
 */
export function address(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) words.append(name, String(one));
    }
  }
  const text = words.toString();
  return `${root}${path}${text ? `?${text}` : ""}`;
}

/**
 * Ask, and answer with the response whatever its content is.
 *
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>}
 */
export async function ask(method, path, options = {}) {
  const { query, body, key, headers = {}, signal, quiet = false } = options;
  const sent = new Headers(headers);
  if (key) sent.set("Idempotency-Key", key === true ? newKey() : key);
  const raw = body instanceof Blob || body === undefined;
  if (!raw) sent.set("Content-Type", "application/json");
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers: sent,
      body: raw ? /** @type {Blob | undefined} */ (body) : JSON.stringify(body),
      signal: signal ?? null,
      credentials: "same-origin",
    });
  } catch (error) {
    throw error instanceof DOMException && error.name === "AbortError" ? error : lost();
  }
  document.dispatchEvent(new Event("maskpool:reached"));
  if (response.ok) return response;
  const refusal = refusalOf(response.status, await response.text());
  if (refusal.status === 401 && !quiet) toLogin();
  throw refusal;
}

/**
 * Ask for JSON; null where the answer is empty.
 *
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
async function json(method, path, options) {
  const response = await ask(method, path, options);
  const text = await response.text().catch(() => Promise.reject(lost()));
  return text ? JSON.parse(text) : null;
}

/** @param {string} path @param {Options} [options] */
export const get = (path, options) => json("GET", path, options);

/** @param {string} path @param {unknown} [body] @param {Options} [options] */
export const post = (path, body, options) => json("POST", path, { ...options, body });

/** @param {string} path @param {unknown} [body] @param {Options} [options] */
export const put = (path, body, options) => json("PUT", path, { ...options, body });

/** @param {string} path @param {unknown} [body] @param {Options} [options] */
export const patch = (path, body, options) => json("PATCH", path, { ...options, body });

/** @param {string} path @param {Options} [options] */
export const remove = (path, options) => json("DELETE", path, options);

/**
 * Send a file's bytes and tell how far it is, which `fetch` cannot.
 *
 * @param {string} path
 * @param {Blob} blob
 * @param {{onprogress?: (sent: number, all: number) => void, signal?: AbortSignal,
 *   headers?: Record<string, string>, method?: string}} [options]
 * @returns {Promise<any>}
 */
export function upload(path, blob, options = {}) {
  const { onprogress, signal, headers = {}, method = "PUT" } = options;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address(path));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onprogress?.(event.loaded, event.total);
    request.onerror = () => reject(lost());
    request.onabort = () => reject(new DOMException("the upload was stopped", "AbortError"));
    request.onload = () => {
      document.dispatchEvent(new Event("maskpool:reached"));
      if (request.status < 300) {
        resolve(request.responseText ? JSON.parse(request.responseText) : null);
        return;
      }
      if (request.status === 401) toLogin();
      reject(refusalOf(request.status, request.responseText));
    };
    if (signal?.aborted) {
      reject(new DOMException("the upload was stopped", "AbortError"));
      return;
    }
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(blob);
  });
}

/**
 * A refusal in the page's language, for people.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof ApiError)) return t("error.page", { detail: String(error) });
  const { code, params, message: detail, status } = error;
  const values = { count: 0, ...worded(params), detail, status };
  // Why a picture cannot be read has a sentence for each kind, whoever wanted to read it.
  const key = [`error.failure.${params.kind}`, `error.${code}`].find((one) => known(one, values));
  return t(key ?? "error.other", values);
}

/** What of a refusal's parameters is said in words of the page: one of them, or each of a list. */
const WORDED = /** @type {Record<string, (one: any) => string>} */ ({
  state: (one) => word(`state.${one}`, one),
  right: (one) => word(`right.${one}`, one),
  rights: (one) => word(`right.${one}`, one),
  lacks: (one) => word(`lacks.${one}`, one),
  expected: String,
});

/** What is wrong with a field, and what stood there. @param {string} reason @param {string} [what] */
const given = (reason, what) => (what === undefined ? reason : t("unfit_given", { reason, what }));

/** A word that a later server may know alone. @param {string} key @param {string} bare */
const word = (key, bare) => (known(key, {}) ? t(key) : bare);

/** @param {Record<string, any>} params */
function worded(params) {
  /** @type {Record<string, unknown>} */
  const values = { ...params };
  for (const [name, said] of Object.entries(WORDED)) {
    if (name in values) values[name] = [params[name]].flat().map(said).join(t("and_comma"));
  }
  if (Array.isArray(params.lines)) values.lines = params.lines.map(ofLine).join(" ");
  const unfit = `unfit.${params.unfit}`;
  if (known(unfit, values)) values.reason = given(t(unfit, values), params.given);
  return values;
}

/**
 * A refusal of one line of a file.
 *
 * @param {{line: number | null, code: string, detail: string, params: Record<string, any>}} refusal
 * @returns {string}
 */
function ofLine({ line, code, detail, params }) {
  const what = explain(new ApiError(422, code, detail, params));
  return line === null ? what : t("error.line", { line: String(line), what });
}

/** Go to the login page, and come back to this one afterwards. */
function toLogin() {
  const here = location.pathname.slice(root.length) + location.search + location.hash;
  location.replace(address("/login", { next: here }));
}

/** A key for a request that must not count twice. `randomUUID` needs TLS. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

function lost() {
  document.dispatchEvent(new Event("maskpool:lost"));
  return new ApiError(0, "offline", "the server cannot be reached");
}

/**
 * @param {number} status
 * @param {string} text
 */
function refusalOf(status, text) {
  try {
    const problem = JSON.parse(text);
    if (typeof problem.code === "string") {
      return new ApiError(status, problem.code, String(problem.detail), problem.params ?? {});
    }
  } catch {
    // A proxy's own page says nothing that we could use.
  }
  return new ApiError(status, "proxy", `the answer was ${status}`);
}

// @ts-check
/**
 * How batches go on, from one stream of events a browser: one tab listens and tells the others.
 *
 * The tab that holds a lock listens. Where a browser has no locks (pages without TLS on another
 * machine), each tab listens while somebody looks at it.
 */

import { address, get, root } from "./api.js";

/**
 * @typedef {Record<string, any>} Batch As `GET /api/v1/batches` shows it.
 * @typedef {(batches: Batch[]) => void} Listener
 * @typedef {{ask?: true, alive?: true, cut?: true, batches?: Batch[]}} Message
 */

/** A leader says that often that it lives; one that was not heard for so long is replaced. */
const ALIVE_EVERY = 4000, SILENT_AFTER = 15000;

/** Before a stream that was refused is tried again. */
const AGAIN = 3000;

const NAME = `maskpool.events${root}`;

/** @type {Set<Listener>} */
const listeners = new Set();

/** @type {Batch[] | null} */
let last = null;

let heardAt = 0;
let leads = false;

/** @type {BroadcastChannel | null} */
let channel = null;

/**
 * Hear the present state of all batches that go on, at once and whenever it changes.
 *
 * @param {Listener} listener
 * @returns {() => void} Stops it.
 */
export function onBatches(listener) {
  listeners.add(listener);
  if (last) listener(last);
  if (!channel) start();
  return () => listeners.delete(listener);
}

function start() {
  channel = new BroadcastChannel(NAME);
  channel.onmessage = (event) => hear(event.data);
  if (!navigator.locks) {
    listenWhileSeen();
    return;
  }
  heardAt = Date.now();
  lead(false);
  channel.postMessage({ ask: true });
  setInterval(() => {
    if (leads || Date.now() - heardAt < SILENT_AFTER) return;
    heardAt = Date.now();
    lead(true);
  }, ALIVE_EVERY);
}

/** @param {Message} message Of another tab. */
function hear(message) {
  heardAt = Date.now();
  if (message.ask && leads && last) channel?.postMessage({ batches: last });
  if (message.cut) doubt();
  if (message.batches) tell(message.batches);
}

/** The stream broke off; whether the server is away, the page asks. */
function doubt() {
  document.dispatchEvent(new Event("maskpool:doubt"));
}

/** @param {Batch[]} batches */
function tell(batches) {
  last = batches;
  listeners.forEach((listener) => listener(batches));
}

/**
 * Wait for the lock, and listen for as long as this tab has it.
 *
 * @param {boolean} steal From a leader that sleeps.
 */
function lead(steal) {
  let stop = () => {};
  navigator.locks
    .request(NAME, { steal }, () => {
      leads = true;
      stop = listen();
      return new Promise(() => {});
    })
    .catch(() => {
      // Another tab took the lead, as this one was not heard for long.
      leads = false;
      stop();
      lead(false);
    });
}

function listenWhileSeen() {
  let stop = document.hidden ? () => {} : listen();
  document.addEventListener("visibilitychange", () => {
    stop();
    stop = document.hidden ? () => {} : listen();
  });
}

/** Open the stream and keep it open; the answer closes it. */
function listen() {
  /** @type {EventSource} */
  let source;
  let stopped = false;
  const alive = setInterval(() => channel?.postMessage({ alive: true }), ALIVE_EVERY);
  const open = () => {
    if (stopped) return;
    source = new EventSource(address("/api/v1/events"));
    source.addEventListener("batches", (event) => {
      document.dispatchEvent(new Event("maskpool:reached"));
      tell(JSON.parse(event.data).batches);
      channel?.postMessage({ batches: last });
    });
    source.onerror = () => {
      doubt();
      channel?.postMessage({ cut: true });
      if (source.readyState !== EventSource.CLOSED) return;
      // A refusal, or a proxy's page: the question says which; 401 leads to the login page.
      get("/api/v1/session").catch(() => {}).finally(() => setTimeout(open, AGAIN));
    };
  };
  open();
  // Nobody else may listen for a page that goes away.
  addEventListener("pagehide", () => source.close(), { once: true });
  return () => {
    stopped = true;
    clearInterval(alive);
    source.close();
  };
}

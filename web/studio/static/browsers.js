// @ts-check
/** What a browser calls itself, as people call it. */

import { t } from "./words.js";

/** Names in the order in which they are looked for: many browsers name others beside themselves. */
const BROWSERS = [
  ["Edg", "Edge"],
  ["OPR", "Opera"],
  ["Firefox", "Firefox"],
  ["HeadlessChrome", "Chrome"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
];

const SYSTEMS = [
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Windows", "Windows"],
  ["Mac OS X", "macOS"],
  ["Linux", "Linux"],
];

/**
 * @param {string} agent As the browser names itself.
 */
export function browserOf(agent) {
  const browser = first(BROWSERS, agent);
  const system = first(SYSTEMS, agent);
  if (browser && system) return t("account.browser_on", { browser, system });
  return browser || system || agent.slice(0, 40) || t("account.unknown");
}

/**
 * @param {string[][]} names
 * @param {string} text
 */
function first(names, text) {
  return names.find(([mark]) => mark && text.includes(mark))?.[1];
}

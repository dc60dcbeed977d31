// @ts-check
/** What texts in Chinese would be sent as, by the words of a team; asked for once, and remembered. */

import { post } from "./api.js";

/** Texts of one question; the server's own limit. */
const MOST = 256;

/** @typedef {{sent: string | null, refused: {code: string, detail: string, params: Record<string, string>} | null}} Sent */

export class SentTexts {
  /** @param {() => void} onanswer Some of what was unknown is known now. */
  constructor(onanswer) {
    this._onanswer = onanswer;
    /** By team and text; null: it is asked for. @type {Map<string, Sent | null>} */
    this._known = new Map();
    /** By team. @type {Map<string, Set<string>>} */
    this._wanted = new Map();
    this._timer = 0;
  }

  /**
   * null: nobody knows yet, and it is asked for.
   *
   * @param {string} team Whose words count beside the pool's; empty: of none.
   * @param {string} text
   * @returns {Sent | null}
   */
  of(team, text) {
    const key = `${team}\n${text}`, known = this._known.get(key);
    if (known !== undefined) return known;
    this._known.set(key, null);
    const wanted = this._wanted.get(team) ?? new Set();
    this._wanted.set(team, wanted.add(text));
    this._timer ||= setTimeout(() => this._ask(), 0);
    return null;
  }

  async _ask() {
    this._timer = 0;
    const wanted = [...this._wanted];
    this._wanted.clear();
    for (const [team, texts] of wanted) {
      for (let at = 0; at < texts.size; at += MOST) await this._some(team, [...texts].slice(at, at + MOST));
    }
    this._onanswer();
  }

  /** @param {string} team @param {string[]} some */
  async _some(team, some) {
    try {
      const { texts } = await post("/api/v1/glossary/compose", { texts: some, ...(team ? { team } : {}) });
      for (const { text, sent, refused } of texts) this._known.set(`${team}\n${text}`, { sent, refused });
    } catch {
      // Asked again with the next look; what a batch sends, its answer says anyhow.
      for (const text of some) this._known.delete(`${team}\n${text}`);
    }
  }
}

// The token: who gets it, when it has to be a new one, and what a refusal of it means.

import { FanoutError } from "./errors.js";

/** Somebody who does not give a token in this time is asked again with the next try. */
const PATIENCE_MS = 1e4;

export class Token {
  #asking;
  #wasDenied = false;

  constructor(core) {
    this._core = core;
    this._text = core._options.token;
    this._reason = "connect";
  }

  /** Resolves when there is a token to go with, if the page has any; `reason` asks for a new one. */
  async _ready(reason) {
    const { getToken } = this._core._options;
    if (!getToken) return;
    if (this._text && !reason && !(this._until < Date.now())) return;
    this.#asking ??= this.#ask(getToken, reason ?? this._reason).finally(() => (this.#asking = undefined));
    await this.#asking;
  }

  async #ask(getToken, reason) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new FanoutError("timeout", "getToken took too long")), PATIENCE_MS);
    });
    try {
      const text = await Promise.race([getToken({ reason }), late]);
      if (text === null) throw new FanoutError("no_token", "nobody is signed in", { _isOurs: true, retryable: false });
      this._text = text;
      this._until = undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The server has taken the token, and says for how long. */
  _note({ type, expires_in_s: life }) {
    if (life === undefined) return;
    this.#wasDenied = false;
    this._rest();
    if (!this._core._options.getToken) return;
    const wait = 1000 * life * (0.7 + Math.random() / 10);
    this._until = Date.now() + wait;
    this._timer = setTimeout(() => this._core._refresh(), Math.min(wait, 2 ** 31 - 1));
  }

  _rest() {
    clearTimeout(this._timer);
  }

  /** After a refusal: whether another token may do better. One that was just made is not asked for again. */
  _mayTryAgain(error) {
    if (!this._core._options.getToken) return false;
    const mayTry = !this.#wasDenied;
    this.#wasDenied = true;
    this._reason = error.code === "token_expired" ? "expiring" : "denied";
    this._text = undefined;
    return mayTry;
  }
}

// What the page publishes, until the server has stored it: in order, and with ids, so that it can be sent again.

import { FanoutError, errorFrom } from "./errors.js";

const MOST_UNSENT = 100;

export class Outbox {
  #entries = new Map();
  #isPosting = false;

  /** `link()` is the connection to publish on, if there is one that does; else each goes out as a request. */
  constructor(core, link) {
    this._core = core;
    this._link = link;
  }

  _publish(channel, data, id = crypto.getRandomValues(new Uint32Array(4)).join("-")) {
    return new Promise((resolve, reject) => {
      if (this.#entries.size >= MOST_UNSENT) throw new FanoutError("too_many_waiting", "too many items wait");
      const late = () => this._settle(id, new FanoutError("timeout", "not acknowledged in time"));
      const timer = setTimeout(late, this._core._options.publishTimeout);
      this.#entries.set(id, { channel, data, id, resolve, reject, timer });
      this._flush();
    });
  }

  /** Answer who published it: with what the server said, or an error. */
  _settle(id, outcome) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#entries.delete(id);
    if (outcome instanceof Error) entry.reject(outcome);
    else entry.resolve({ channel: entry.channel, id, position: outcome.position });
  }

  /** A connection is there, or is no more: what was not acknowledged has to be sent again. */
  _restart() {
    for (const entry of this.#entries.values()) entry._isSent = false;
    this._flush();
  }

  _flush() {
    const link = this._link();
    if (!this.#entries.size) return;
    if (!link) this.#post();
    else if (!this.#isPosting)
      for (const entry of this.#entries.values())
        if (!entry._isSent) {
          entry._isSent = true;
          link._publish(entry);
        }
  }

  _fail(error) {
    for (const id of [...this.#entries.keys()]) this._settle(id, error);
  }

  async #post() {
    if (this.#isPosting) return;
    this.#isPosting = true;
    for (let failures = 0; this.#entries.size && !this._link(); ) {
      const [{ channel, data, id }] = this.#entries.values();
      try {
        await this._core._access._ready();
        const body = JSON.stringify({ channel, data, id });
        const response = await this._core._request("publish", { method: "POST", body });
        this._settle(id, await response.json());
        failures = 0;
      } catch (error) {
        if (error.retryable === false) this._settle(id, error);
        else await new Promise((resolve) => setTimeout(resolve, error.retryAfter || this._core._delay(failures++)));
      }
    }
    this.#isPosting = false;
    this._flush();
  }

  /** The server's `error` about an item. */
  _refuse(message) {
    this._settle(message.id, errorFrom(message, { retryable: !!message.retry_after_s }));
  }
}

// The transports over HTTP requests: server-sent events, JSON lines and long-polling, all by `fetch`, so that the token
// goes into a header and never into a URL.

import { FanoutError } from "./errors.js";

/**
 * A link (see socket.js) of one or more requests: channels that are wanted in the same way share one. `core._channels._lanes()`
 * gives the query of each; a lane whose query changes is asked for again, from the positions that it has reached.
 */
export class RequestLink {
  #lanes = new Map();
  #unready = new Set();
  #isReady = false;

  constructor(core, on, name) {
    this._core = core;
    this._on = on;
    this.name = name;
    this._change();
  }

  _start() {
    this._change();
  }

  _subscribe() {
    this._change();
  }

  _unsubscribe() {
    this._change();
  }

  /** Go on with the newest token: a poll takes it the next time by itself. */
  _authorize() {
    if (this.name !== "poll") this.#abort();
    this._change();
  }

  _close() {
    clearTimeout(this._timer);
    this.#abort();
  }

  /** Ask for what the page wants now, once it has said all. */
  _change() {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this.#arrange());
  }

  #abort() {
    for (const lane of this.#lanes.values()) lane.abort();
    this.#lanes.clear();
  }

  #arrange() {
    const wanted = this._core._channels._lanes();
    for (const [query, lane] of this.#lanes) {
      if (wanted.delete(query)) continue;
      lane.abort();
      this.#lanes.delete(query);
      this.#unready.delete(query);
    }
    for (const query of wanted) {
      const lane = new AbortController();
      this.#lanes.set(query, lane);
      this.#unready.add(query);
      this.#run(query, lane.signal);
    }
    this.#ready();
  }

  #ready(query) {
    this.#unready.delete(query);
    if (this.#isReady || this.#unready.size) return;
    this.#isReady = true;
    this._on._ready();
  }

  async #run(query, signal) {
    try {
      if (this.name === "poll") for (let isFirst = true; ; isFirst = false) await this.#poll(query, signal, isFirst);
      await this.#stream(query, signal);
      throw new FanoutError("connection_lost", "the stream ended");
    } catch (error) {
      if (signal.aborted) return;
      this.#lanes.delete(query);
      if (error.channel) {
        this.#unready.delete(query);
        this._on._message({ ...error, type: "error", message: error.message });
        this._change(); // without that channel
      } else {
        this._close();
        this._on._lost(error);
      }
    }
  }

  async #stream(query, signal) {
    const { query: whole } = this._core._channels._begin(query);
    const response = await this._core._request(this.name + whole, { signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part; !(part = await reader.read()).done; ) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const text = this.name === "sse" ? line.startsWith("data: ") && line.slice(6) : line;
        if (text && !signal.aborted) this.#take(JSON.parse(text), query);
      }
    }
  }

  #take(message, query) {
    if (message.type === "closing") {
      const { reason, message: text, reconnect } = message;
      const isDenied = reason.startsWith("token_");
      throw new FanoutError(reason, text, { _isOurs: true, _isSoon: reconnect, _isDenied: isDenied, retryable: reconnect });
    }
    this._on._message(message);
    if (message.type === "welcome") this.#ready(query);
  }

  async #poll(query, signal, isFirst) {
    const { query: whole, channels, since } = this._core._channels._begin(query);
    const patience = isFirst ? 0 : this._core._options.pollTimeout;
    const response = await this._core._request(`poll${whole}&timeout=${patience}`, { signal });
    const { items, cursor, resets = [] } = await response.json();
    if (signal.aborted) return;
    const reached = cursor.split(",").map((position, i) => ({ channel: channels[i], position }));
    if (isFirst) {
      this._on._message({ type: "welcome", keep_alive_s: this._core._options.pollTimeout });
      reached.forEach((place, i) => {
        const isReset = resets.some(({ channel }) => channel === place.channel);
        const position = since[i] || (items.length ? undefined : place.position);
        if (!isReset) this._on._message({ type: "subscribed", ...place, position, recovered: !!since[i] });
      });
    }
    for (const message of [...resets, ...items]) this._on._message(message);
    for (const place of reached) this._on._message({ type: "position", ...place });
    this.#ready(query);
  }
}

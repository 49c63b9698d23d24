// The WebSocket transport: one connection, channels come and go on it, and the page can publish.

import { errorFrom, readClose } from "./errors.js";

/** The server takes 64 commands ahead of their answers. */
const MOST_UNANSWERED = 32;

/**
 * A link is one connection to a site. It calls `on._ready()` once the server has spoken, `on._message(message)` with what
 * it says, and `on._lost(error)` at its end, unless `_close()` came first.
 */
export class SocketLink {
  name = "ws";
  #waiting = [];
  #unanswered = new Set();
  #isReady = false;

  constructor(core, on) {
    this._core = core;
    this._on = on;
    this._socket = new WebSocket(core._address("ws").replace("http", "ws"));
    this._socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    this._socket.onclose = (event) => on._lost(readClose(event, this._said));
  }

  /** Begin to follow what the page wants. Until then, only who it is has been said. */
  _start() {
    for (const wish of this._core._channels._wishes()) this._subscribe(wish);
  }

  _subscribe({ _key: key, _isFound, name, since, ...wish }) {
    this.#send("s" + name, { type: "subscribe", [key]: name, since, ...wish });
  }

  _unsubscribe({ _key: key, name }) {
    this.#send("u" + name, { type: "unsubscribe", [key]: name });
  }

  _publish({ channel, data, id }) {
    this.#send("p" + id, { type: "publish", channel, data, id });
  }

  /** Say who this is from now on. */
  _authorize(token) {
    this.#send("a", { type: "auth", token });
  }

  /** Have the server say something. */
  _probe() {
    if (this._socket.readyState === 1) this._socket.send('{"type":"ping"}');
  }

  _close() {
    this._socket.onclose = this._socket.onmessage = null;
    this._socket.close(1000);
  }

  #send(key, command) {
    this.#waiting.push([key, command]);
    this.#flush();
  }

  #flush() {
    while (this.#waiting.length && this.#unanswered.size < MOST_UNANSWERED) {
      const [key, command] = this.#waiting.shift();
      this.#unanswered.add(key);
      if (this._socket.readyState === 1) this._socket.send(JSON.stringify(command));
    }
  }

  #take(message) {
    const { type, id } = message;
    const name = message.pattern ?? message.channel;
    if (type === "subscribed" || type === "reset") this.#answered("s" + name);
    else if (type === "unsubscribed") this.#answered("u" + name);
    else if (type === "published") this.#answered("p" + id);
    else if (type === "authorized") this.#answered("a");
    else if (type === "error") this.#refused(message, id === undefined ? name : undefined);
    this._on._message(message);
    if (type === "welcome" && this._core._token) this._authorize(this._core._token);
    else if (!this.#isReady && (type === "welcome" || type === "authorized")) {
      this.#isReady = true;
      this._on._ready();
    }
  }

  #refused(message, name) {
    if (message.id !== undefined) this.#answered("p" + message.id);
    else if (name !== undefined) {
      this.#answered("s" + name);
      this.#answered("u" + name);
    } else if (this.#unanswered.has("a")) {
      this._close(); // it would go on as a stranger
      this._on._lost(errorFrom(message, { _isDenied: true, _isOurs: true, retryable: false }));
    } else this._said = message; // why it closes, most likely
  }

  #answered(key) {
    if (this.#unanswered.delete(key)) this.#flush();
  }
}

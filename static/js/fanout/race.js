// Which transport: the first that is ready. One that stays silent is not given up, but the next begins beside it.

import { FanoutError } from "./errors.js";
import { RequestLink } from "./requests.js";
import { SocketLink } from "./socket.js";

/** A connection that ends sooner was killed on the way rather than lost, if that happens again and again. */
const SHORT_LIFE_MS = 1e4;
const MOST_SHORT_LIVES = 3;
const REMEMBERED_MS = 36e5;

/** One round through the transports. */
export class Race {
  #links = new Set();

  /** `below` names the transport to find a better one for. */
  constructor(core, failures, below) {
    this._core = core;
    this._failures = failures;
    this._below = below;
  }

  #choose() {
    const { _core: core, _below: below } = this;
    const order = core._options.transports;
    const best = Math.max(0, order.indexOf(core._best ?? recall(core)));
    if (core._TabLink) return ["shared"];
    // After a while, what failed may be right again.
    const chosen = below ? order.slice(0, order.indexOf(below)) : order.slice(this._failures % 4 > 2 ? 0 : best);
    return core._channels._hasPatterns ? chosen.filter((name) => name === "ws" || name === "stream") : chosen;
  }

  /** Count connections that are killed soon after they began; too many, and the next transport is the best. */
  static _noteLife(core, name, lived, { _isOurs: isOurs }) {
    core._shortLives = lived < SHORT_LIFE_MS && !isOurs ? (core._shortLives ?? 0) + 1 : 0;
    const next = core._options.transports.indexOf(name) + 1;
    if (core._shortLives < MOST_SHORT_LIVES || next === core._options.transports.length) return;
    core._shortLives = 0;
    core._best = core._options.transports[next];
  }

  /** Call `win` with the first link that is ready, or `fail` with an error. */
  _run(win, fail) {
    this._win = win;
    this._fail = fail;
    this._order = this.#choose();
    const { connectTimeout, readyTimeout } = this._core._options;
    const late = () => this.#end(fail, new FanoutError("timeout", "no transport became ready"));
    this._timer = setTimeout(late, connectTimeout + this._order.length * readyTimeout);
    this.#next();
  }

  _cancel() {
    for (const link of this.#links) link._close();
    this.#links.clear();
    this._order = []; // nothing is begun any more
    clearTimeout(this._patience);
    clearTimeout(this._timer);
  }

  #next() {
    clearTimeout(this._patience);
    const name = this._order.shift();
    if (!name) return;
    let link;
    const on = {
      _ready: () => this.#win(link),
      _message: (message) => this._core._hear(message),
      _lost: (error) => (this.#links.has(link) ? this.#lose(link, error) : this._core._lost(link, error)),
    };
    try {
      const Link = { ws: SocketLink, shared: this._core._TabLink }[name] ?? RequestLink;
      link = new Link(this._core, on, name);
    } catch {
      return this.#next(); // there is no WebSocket here
    }
    this.#links.add(link);
    this._patience = setTimeout(() => this.#next(), this._core._options.readyTimeout);
  }

  #win(link) {
    if (!this.#links.delete(link)) return;
    this._core._best = link.name;
    remember(this._core);
    this.#end(this._win, link);
  }

  #lose(link, error) {
    this.#links.delete(link);
    this._failure ??= error;
    // The server has spoken, or nobody is there: another transport changes nothing.
    if (error._isOurs || error._isUnreachable) this.#end(this._fail, error);
    else if (this._order.length) this.#next();
    else if (!this.#links.size) this.#end(this._fail, this._failure);
  }

  #end(settle, outcome) {
    this._cancel();
    settle(outcome);
  }
}

// -- from one page to the next ----------------

function remember({ site, _best: best }) {
  store((storage) => storage.setItem("fanout:" + site, JSON.stringify([best, Date.now()])));
}

function recall({ site }) {
  const [name, at] = store((storage) => JSON.parse(storage.getItem("fanout:" + site))) ?? [];
  return Date.now() - at < REMEMBERED_MS ? name : undefined;
}

/** Storage can be missing, full or forbidden; then nothing is remembered. */
function store(use) {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}

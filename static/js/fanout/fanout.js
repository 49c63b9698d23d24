// Fanout Cloud in a page: subscribes over whichever transport gets through, and never loses its place.
// How to use it: docs/howto/subscribe-in-a-page.md. What it promises: docs/api/fanout-js.md.

import { readItem } from "./channel.js";
import { Channels, toQuery } from "./channels.js";
import { Emitter } from "./emitter.js";
import { FanoutError, errorFrom, readRefusal } from "./errors.js";
import { Outbox } from "./outbox.js";
import { watchPage } from "./page.js";
import { Places } from "./places.js";
import { Race } from "./race.js";
import { Token } from "./token.js";

export { FanoutError };

/** Milliseconds, but for `pollTimeout`, which is in seconds as the server has it. docs/api/fanout-js.md tells each. */
const DEFAULTS = {
  transports: ["ws", "sse", "stream", "poll"],
  readyTimeout: 4000,
  connectTimeout: 1e4,
  publishTimeout: 1e4,
  pollTimeout: 25,
  firstDelay: 1000,
  longestDelay: 2e4,
  calmAfter: 3e4,
  grace: 1e4,
  closeAfter: 5000,
  pauseAfter: 3e5,
  upgradeAfter: 3e5,
};

/** One page's connection to a realm's site. */
export class Fanout extends Emitter {
  #failures = 0;
  #places;
  #link;
  #race;
  #better;
  state = "idle";

  /** `site` is the address of a realm's site, such as `https://0a1b2c3d.example.net` or `https://example.net/r/0a1b2c3d`. */
  constructor(site, options = {}) {
    super();
    this.site = String(site).replace(/\/+$/, "");
    this._options = { ...DEFAULTS, ...options };
    this.positions = new Map(Object.entries(options.positions ?? {}));
    this.#places = new Places(this.positions);
    this._channels = new Channels(this.positions);
    this._outbox = new Outbox(this, () => this._token && this.#link?._publish && this.#link);
    this._access = new Token(this);
    watchPage(this);
  }

  /** The channel of this name; the same object each time. Options hold from the time that it is first subscribed. */
  channel(name, options) {
    return this._channels._find(this, "channel", name, options);
  }

  /** Every channel that begins so: `orders.*`. Only over WebSocket and HTTP streaming. */
  pattern(text, options) {
    return this._channels._find(this, "pattern", text, options);
  }

  /** The name of the transport in use. */
  get transport() {
    return this.#link?.name;
  }

  get _token() {
    return this._access._text;
  }

  /** Connect now, also without a channel. */
  connect() {
    this._isKept = true;
    this._resume();
  }

  /** End everything. `connect()` begins anew. */
  close() {
    this._isKept = false;
    const error = new FanoutError("closed", "the client was closed", { retryable: false });
    this.#stop("closed", { reason: error });
    this._relay?._end();
    this._relay = undefined;
    this._outbox._fail(error);
    for (const channel of this._channels._wanted) channel._emit("unsubscribed");
    this._channels._wanted.clear();
  }

  // -- for channels ----------------

  _want(channel) {
    clearTimeout(this._idleTimer);
    if (this._channels._wanted.has(channel)) return;
    this._channels._wanted.add(channel);
    this.#begin(channel);
  }

  _leave(channel) {
    if (!this._channels._wanted.delete(channel)) return;
    this.#link?._unsubscribe(channel);
    if (channel._key === "channel") this.#places._forget(channel.name);
    channel._emit("unsubscribed");
    if (this._channels._wanted.size || this._isKept) return;
    this._idleTimer = setTimeout(() => this.#stop("idle"), this._options.closeAfter);
  }

  _publish(channel, data, id) {
    return this._outbox._publish(channel, data, id);
  }

  async _read(what, query) {
    await this._access._ready();
    const ask = async () => (await this._request(`${what}?${toQuery(query)}`)).json();
    return ask().catch(async (error) => {
      if (!error._isDenied || !this._options.getToken) throw error;
      await this._access._ready("denied");
      return ask();
    });
  }

  async #begin(channel) {
    const count = channel._options.history;
    if (count && !this.positions.has(channel.name)) await this.#beginWithHistory(channel, count);
    channel._isBegun = true;
    if (!this._channels._wanted.has(channel)) return;
    this._resume();
    if (this.state === "connected") this.#link._subscribe(this._channels._wish(channel));
  }

  /** Hand over what is kept, and go on behind it. */
  async #beginWithHistory(channel, limit) {
    try {
      let page = await channel.history({ limit });
      if (!page.position) {
        // Nothing has happened here yet. A poll makes a place to begin at, so that the first item is not missed.
        await this._request(`poll?${toQuery({ channel: channel.name, timeout: 0 })}`);
        page = await channel.history({ limit });
      }
      if (!this._channels._wanted.has(channel)) return;
      this.positions.set(channel.name, page.position);
      for (const item of page.items.reverse()) channel._emit("item", item);
    } catch (error) {
      channel._emit("error", error);
    }
  }

  // -- for links ----------------

  _address(path) {
    return `${this.site}/fanout/${path}`;
  }

  /** Ask the site. Anything but a success is a `FanoutError`. */
  async _request(path, init = {}) {
    if (this._token) init.headers = { authorization: "Bearer " + this._token };
    let response;
    try {
      response = await fetch(this._address(path), { cache: "no-store", credentials: "omit", ...init });
    } catch (error) {
      throw new FanoutError("unreachable", "the server can't be reached: " + error.message, { _isUnreachable: true });
    }
    if (!response.ok) throw await readRefusal(response);
    return response;
  }

  // -- the connection ----------------

  /** Connect if that is wanted and not under way. */
  _resume() {
    if (this.#link || this.#race || !(this._channels._wanted.size || this._isKept)) return;
    this.#connect();
  }

  /** Let go of the connection until `resume()`: the page is not looked at. */
  _pause() {
    if (this.#link || this.#race || this._retryTimer) this.#stop("paused");
  }

  /** Find out whether the connection still lives; or try now, if a try is due anyway. */
  _check() {
    if (this.state === "paused") this._resume();
    else if (this._retryTimer) this.#connect();
    else if (this.#link?._probe) {
      const asked = Date.now();
      this.#link._probe();
      clearTimeout(this._probeTimer);
      this._probeTimer = setTimeout(() => this._heardAt < asked && this.#lose(silence()), 3000);
    } else this.#checkSilence();
  }

  async #connect() {
    clearTimeout(this._retryTimer);
    this._retryTimer = undefined;
    const race = (this.#race = new Race(this, this.#failures));
    this.#enter(this._connectedAt ? "reconnecting" : "connecting");
    try {
      await this._access._ready();
      if (this._options.share) this._TabLink ??= (await import("./share.js")).TabLink;
    } catch (error) {
      return race === this.#race && this.#retry(error);
    }
    if (race === this.#race)
      race._run(
        (link) => this.#adopt(link),
        (error) => this.#retry(error),
      );
  }

  #adopt(link) {
    this.#race = undefined;
    this.#link?._close();
    this.#link = link;
    this._connectedAt = this._heardAt = Date.now();
    this.#enter("connected", { transport: link.name });
    link._start();
    this._outbox._restart();
    clearInterval(this._silenceTimer);
    this._silenceTimer = setInterval(() => this.#checkSilence(), Math.min(5000, this._options.grace / 2));
    clearTimeout(this._upgradeTimer);
    if (this._options.transports.indexOf(link.name) > 0) this.#upgradeLater();
  }

  /** Try the better transports beside the one in use, and move over by position. */
  #upgrade() {
    this.#better = new Race(this, 0, this.transport);
    this.#better._run(
      (link) => this.#adopt(link),
      () => this.#upgradeLater(),
    );
  }

  #upgradeLater() {
    this._upgradeTimer = setTimeout(() => this.#upgrade(), this._options.upgradeAfter);
  }

  /** A link in use has ended. */
  _lost(link, error) {
    if (link === this.#link) this.#lose(error);
  }

  #lose(error) {
    const lived = Date.now() - this._connectedAt;
    if (lived > this._options.calmAfter) this.#failures = 0;
    Race._noteLife(this, this.transport, lived, error);
    this.#drop();
    this.#retry(error);
  }

  #retry(error) {
    this.#race = undefined;
    if (error._isDenied ? !this._access._mayTryAgain(error) : error._isOurs && !error.retryable) {
      this.#stop("failed", { reason: error });
      this._outbox._fail(error);
      this._emit("error", error);
      return;
    }
    const wait = error._isSoon ? this._delay(0) : this._delay(this.#failures++);
    const retryIn = error.retryAfter ? error.retryAfter + this._delay(0) : error._isDenied ? 0 : wait;
    this._retryTimer = setTimeout(() => this.#connect(), retryIn);
    this.#enter("reconnecting", { reason: error, retryIn });
    this._outbox._restart();
  }

  /** Full jitter: anything up to a bound that doubles, so that clients who lost the same server do not return as one. */
  _delay(failures) {
    const { firstDelay, longestDelay } = this._options;
    return Math.random() * Math.min(longestDelay, firstDelay * 2 ** failures);
  }

  #checkSilence() {
    const limit = 1000 * this._keepAlive + this._options.grace;
    if (this.#link && Date.now() - this._heardAt > limit) this.#lose(silence());
  }

  #stop(state, why) {
    clearTimeout(this._idleTimer);
    clearTimeout(this._retryTimer);
    this._retryTimer = undefined;
    this.#failures = 0;
    this.#race?._cancel();
    this.#race = undefined;
    this.#drop();
    this._access._rest();
    this.#enter(state, why);
    this._connectedAt = 0;
  }

  #drop() {
    this.#link?._close();
    this.#link = undefined;
    clearInterval(this._silenceTimer);
    clearTimeout(this._probeTimer);
    clearTimeout(this._upgradeTimer);
    this.#better?._cancel();
  }

  #enter(state, why) {
    const previous = this.state;
    this.state = state;
    if (state !== previous || why) this._emit("state", { state, previous, ...why });
  }

  // -- messages ----------------

  /** A link says something, also one that is not in use yet: what comes twice is noticed by its position. */
  _hear(message) {
    const { type, channel } = message;
    this._heardAt = Date.now();
    this._emit("message", message);
    if (type === "item" || type === "position") this.#takeItem(message);
    else if (type === "subscribed" || type === "reset") this.#takePlace(message);
    else if (type === "presence") this._channels._get("channel", channel)?._noteMembers(message);
    else if (type === "published") this._outbox._settle(message.id, message);
    else if (type === "error") this.#takeError(message);
    else if (type === "unsubscribed" && channel && !this._channels._isWanted(channel)) this.#places._forget(channel);
    else if (type === "welcome" || type === "authorized") {
      this._keepAlive = message.keep_alive_s ?? this._keepAlive;
      this._access._note(message);
    } else if (type === "token-expired") this._refresh();
  }

  /** Get a new token, and have the connection go on with it. */
  async _refresh() {
    try {
      await this._access._ready("expiring");
      this.#link?._authorize(this._token);
    } catch (error) {
      this._emit("error", error);
    }
  }

  #takePlace({ type, channel, pattern, position, ...told }) {
    if (channel) this.#places._begin(channel, position, type === "reset");
    for (const one of pattern ? [this._channels._get("pattern", pattern)] : this._channels._hearers(channel)) {
      one?._emit(type, { channel, position, ...told });
      if (told.recovered) one?._emit("recovered", { channel, position });
    }
  }

  #takeItem(message) {
    const hearers = this._channels._hearers(message.channel);
    const has = (option) => hearers.some(({ _options: options }) => options[option]);
    // Where every item of the channel is to come, a number left out means a loss.
    const isWhole = this.transport !== "poll" && !has("filter");
    try {
      message = this.#places._take(message, isWhole, has("delta"));
    } catch (error) {
      return this.#lose(error);
    }
    if (message?.type !== "item") return;
    const item = readItem(message);
    for (const one of hearers) one._emit("item", item);
  }

  #takeError(message) {
    const name = message.channel ?? message.pattern;
    if (message.id !== undefined) return this._outbox._refuse(message);
    const error = errorFrom(message, { retryable: false });
    const channel = this._channels._get(message.pattern ? "pattern" : "channel", name);
    channel?._emit("error", error); // without a channel, it is the last word before a close, which tells it
    if (channel && this._channels._wanted.delete(channel)) channel._emit("unsubscribed", error);
  }
}

const silence = () => new FanoutError("silent", "nothing was heard from the server");

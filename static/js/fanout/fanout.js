// Fanout Cloud in a page: subscribes over whichever transport gets through, and never loses its place.
// How to use it: docs/howto/subscribe-in-a-page.md. What it promises: docs/api/fanout-js.md.

import { Channel, readItem } from "./channel.js";
import { mergePatch } from "./deltas.js";
import { Emitter } from "./emitter.js";
import { FanoutError, errorFrom, readRefusal } from "./errors.js";
import { Outbox } from "./outbox.js";
import { watchPage } from "./page.js";
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
/** A channel's options that the server is told. */
const WISHES = ["filter", "delta", "presence"];
/** Requests get longer than some proxies take with more channels than this. */
const MOST_CHANNELS_PER_REQUEST = 100;

/** One page's connection to a realm's site. */
export class Fanout extends Emitter {
  #channels = new Map();
  #wanted = new Set();
  #bases = new Map();
  #failures = 0;
  #filledFrom = new Map();
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
    this._outbox = new Outbox(this, () => this._token && this.#link?._publish && this.#link);
    this._access = new Token(this);
    watchPage(this);
  }

  /** The channel of this name; the same object each time. Options hold from the time that it is first subscribed. */
  channel(name, options) {
    return this.#find("channel", name, options);
  }

  /** Every channel that begins so: `orders.*`. Only over WebSocket and HTTP streaming. */
  pattern(text, options) {
    return this.#find("pattern", text, options);
  }

  /** The name of the transport in use. */
  get transport() {
    return this.#link?.name;
  }

  get _hasPatterns() {
    return [...this.#wanted].some((one) => one._key === "pattern");
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
    for (const channel of this.#wanted) channel._emit("unsubscribed");
    this.#wanted.clear();
  }

  // -- for channels ----------------

  _want(channel) {
    clearTimeout(this._idleTimer);
    if (this.#wanted.has(channel)) return;
    this.#wanted.add(channel);
    this.#begin(channel);
  }

  _leave(channel) {
    if (!this.#wanted.delete(channel)) return;
    this.#link?._unsubscribe(channel);
    if (channel._key === "channel") this.#forget(channel.name);
    channel._emit("unsubscribed");
    if (this.#wanted.size || this._isKept) return;
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
    if (!this.#wanted.has(channel)) return;
    this._resume();
    if (this.state === "connected") this.#link._subscribe(this.#wish(channel));
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
      if (!this.#wanted.has(channel)) return;
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

  /** What is wanted, each as a command of a WebSocket has it. */
  _wishes() {
    const found = [...this.positions.keys()].filter((name) => !this.#isNamed(name));
    const wishes = [...this.#wanted].filter((channel) => channel._isBegun).map((channel) => this.#wish(channel));
    for (const name of found) {
      const pattern = this.#patternsOf(name)[0];
      if (pattern) wishes.push({ ...this.#wish(pattern), _key: "channel", name, since: this.positions.get(name), _isFound: true });
    }
    return wishes;
  }

  /** The queries of requests that bring all that is wanted. */
  _lanes() {
    const groups = new Map();
    for (const { _key: key, _isFound: isFound, name, since, ...wish } of this._wishes()) {
      if (isFound) continue;
      const options = toQuery({ ...wish, presence: wish.presence && 1 });
      const group = groups.get(options) ?? [];
      groups.set(options, [...group, `${key}=${encodeURIComponent(name)}`]);
    }
    const lanes = new Set();
    for (const [options, names] of groups)
      while (names.length) lanes.add([...names.splice(0, MOST_CHANNELS_PER_REQUEST), options].join("&"));
    return lanes;
  }

  /** The query of a lane as it goes out now: its channels in order, and where each begins. */
  _begin(lane) {
    const query = new URLSearchParams(lane);
    for (const { name, _isFound: isFound } of this._wishes())
      if (isFound && query.getAll("pattern").some((pattern) => matches(pattern, name))) query.append("channel", name);
    const channels = query.getAll("channel");
    const since = channels.map((name) => this.positions.get(name) ?? "");
    if (since.some(Boolean)) query.set("since", since.join());
    return { query: "?" + query, channels, since };
  }

  // -- the connection ----------------

  /** Connect if that is wanted and not under way. */
  _resume() {
    if (this.#link || this.#race || !(this.#wanted.size || this._isKept)) return;
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
    else if (type === "presence") this.#named(channel)?._noteMembers(message);
    else if (type === "published") this._outbox._settle(message.id, message);
    else if (type === "error") this.#takeError(message);
    else if (type === "unsubscribed" && channel && !this.#isNamed(channel)) this.#forget(channel);
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
    if (type === "reset") this.#bases.delete(channel);
    if (channel && (type === "reset" || !this.positions.has(channel))) this.positions.set(channel, position);
    for (const one of pattern ? [this.#channels.get("pattern" + pattern)] : this.#hearers(channel)) {
      one?._emit(type, { channel, position, ...told });
      if (told.recovered) one?._emit("recovered", { channel, position });
    }
  }

  #takeItem({ base, patch, ...message }) {
    const { type, channel, position } = message;
    const last = this.positions.get(channel);
    if (last && isSameEpoch(last, position)) {
      const gap = offsetOf(position) - offsetOf(last);
      if (gap <= 0) return;
      const isBroken = patch !== undefined ? base !== this.#bases.get(channel)?.position : gap > 1 && this.#isWhole(channel);
      if (isBroken && this.#filledFrom.get(channel) !== last) {
        this.#filledFrom.set(channel, last); // once: whoever skips it twice has it no more
        this.#lose(new FanoutError("gap", "items are missing", { _isSoon: true }));
        return;
      }
    }
    this.positions.set(channel, position);
    if (type === "position") return;
    const item = readItem(message);
    if (patch !== undefined) item.data = mergePatch(this.#bases.get(channel)?.data, patch);
    const hearers = this.#hearers(channel);
    if (hearers.some(({ _options: options }) => options.delta)) this.#bases.set(channel, { position, data: item.data });
    for (const one of hearers) one._emit("item", item);
  }

  #takeError(message) {
    const name = message.channel ?? message.pattern;
    if (message.id !== undefined) return this._outbox._refuse(message);
    const error = errorFrom(message, { retryable: false });
    const channel = this.#channels.get((message.pattern ? "pattern" : "channel") + name);
    channel?._emit("error", error); // without a channel, it is the last word before a close, which tells it
    if (channel && this.#wanted.delete(channel)) channel._emit("unsubscribed", error);
  }

  #find(key, name, options) {
    const known = this.#channels.get(key + name);
    if (!known) this.#channels.set(key + name, new Channel(this, key, name, { ...options }));
    else if (options && !this.#wanted.has(known)) Object.assign(known._options, options);
    const channel = this.#channels.get(key + name);
    if (options?.since) this.positions.set(name, options.since);
    return channel;
  }

  #wish({ _key: key, name, _options: options }) {
    const wish = { _key: key, name, since: key === "channel" ? this.positions.get(name) : undefined };
    for (const one of WISHES) if (options[one]) wish[one] = options[one] === true && one === "delta" ? "merge-patch" : options[one];
    return wish;
  }

  #named(name) {
    return this.#channels.get("channel" + name);
  }

  #isNamed(name) {
    return this.#wanted.has(this.#named(name));
  }

  #patternsOf(name) {
    return [...this.#wanted].filter((one) => one._key === "pattern" && matches(one.name, name));
  }

  #hearers(name) {
    return [...(this.#isNamed(name) ? [this.#named(name)] : []), ...this.#patternsOf(name)];
  }

  /** Whether every item of the channel is to come, so that a number left out means a loss. */
  #isWhole(name) {
    return this.transport !== "poll" && !this.#hearers(name).some(({ _options: options }) => options.filter);
  }

  #forget(name) {
    this.positions.delete(name);
    this.#bases.delete(name);
  }
}

const silence = () => new FanoutError("silent", "nothing was heard from the server");
const matches = (pattern, name) => name.startsWith(pattern.slice(0, -1));
const isSameEpoch = (a, b) => a.split(":")[0] === b.split(":")[0];
const offsetOf = (position) => +position.split(":")[1];

function toQuery(members) {
  const known = Object.entries(members).filter(([, value]) => value !== undefined && value !== false);
  return String(new URLSearchParams(known));
}

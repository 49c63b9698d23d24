// One connection for all tabs: the tab that holds a lock leads, keeps a client of its own with a real connection, and
// passes on what comes to the tabs of the same site and user. When it goes, the next one takes over, by position.

import { FanoutError } from "./errors.js";

const isHere = !!globalThis.navigator?.locks && !!globalThis.BroadcastChannel;

/** A link (see socket.js) to the leading tab. `undefined` where there are no locks: then each tab has a connection. */
export const TabLink = isHere ? makeTabLink() : undefined;

function makeTabLink() {
  return class {
    name = "shared";
    #tab = crypto.getRandomValues(new Uint32Array(4)).join("-");
    #names = new Map();
    #isReady = false;

    constructor(core, on) {
      this._on = on;
      const key = `fanout:${core.site}:${subjectOf(core._token)}`;
      core._relay ??= new Relay(core, key);
      this._air = new BroadcastChannel(key);
      this._air.onmessage = ({ data }) => this.#take(data);
      this._core = core;
      this.#say({ verb: "hello" });
    }

    _start() {
      for (const wish of this._core._channels._wishes()) this._subscribe(wish);
    }

    _subscribe({ _key: key, name, since, filter, delta, presence }) {
      this.#names.set(key + name, { key, name });
      this.#say({ verb: "subscribe", key, name, since, wish: { filter, delta, presence } });
    }

    _unsubscribe({ _key: key, name }) {
      this.#names.delete(key + name);
      this.#say({ verb: "unsubscribe", key, name });
    }

    _publish({ channel, data, id }) {
      this.#say({ verb: "publish", name: channel, data, id });
    }

    _authorize() {
      // the leading tab has a token of its own
    }

    _close() {
      this.#say({ verb: "bye" });
      this._air.close();
    }

    #say(words) {
      this._air.postMessage({ from: this.#tab, ...words });
    }

    #take({ to, leads, failure, message }) {
      if (to !== undefined && to !== this.#tab) return;
      if (failure) {
        this._close();
        this._on._lost(new FanoutError(failure.code, failure.message, failure));
      } else if (leads) this.#begin();
      else if (message && (to || this.#isMine(message))) this._on._message(message);
    }

    /** A tab leads, maybe another one than before: all is said to it again. */
    #begin() {
      if (this.#isReady) return this._start();
      this.#isReady = true;
      this._on._ready();
    }

    #isMine({ channel, pattern }) {
      return [...this.#names.values()].some(({ key, name }) =>
        key === "channel" ? name === channel : name === pattern || channel?.startsWith(name.slice(0, -1)),
      );
    }
  };
}

/** Waits to lead, and leads. One per client. */
class Relay {
  #tabs = new Set();
  #followed = new Map();
  #client;

  constructor(core, key) {
    this._air = new BroadcastChannel(key);
    this._air.onmessage = ({ data }) => this.#client && this.#take(data);
    this._ending = new AbortController();
    const lead = () =>
      new Promise((release) => {
        this._release = release;
        this.#lead(core);
      });
    navigator.locks.request(key, { signal: this._ending.signal }, lead).catch(() => {
      // it was ended before it led
    });
  }

  /** Lead no more: the next tab does. */
  _end() {
    this._ending.abort();
    this._release?.();
    this.#client?.close();
    this._air.close();
  }

  #lead({ constructor: Client, site, _options: options }) {
    const own = { share: false, persist: false, pauseAfter: 0, positions: undefined };
    this.#client = new Client(site, { ...options, ...own });
    this.#client.on("state", ({ state, reason }) => {
      if (state === "connected") this.#say({ leads: true });
      else if (state === "reconnecting" || state === "failed") this.#say({ failure: describe(reason, state) });
    });
    this.#client.connect();
  }

  #say(words) {
    this._air.postMessage(words);
  }

  #take({ from, verb, ...words }) {
    if (verb === "hello") this.#greet(from);
    else if (verb === "bye") this.#forget(from);
    else if (verb === "subscribe") this.#subscribe(from, words);
    else if (verb === "unsubscribe") this.#unsubscribe(from, words.key + words.name);
    else if (verb === "publish") this.#publish(from, words);
  }

  #greet(tab) {
    this.#tabs.add(tab);
    if (this.#client.state === "connected") this.#say({ to: tab, leads: true });
    else if (this.#client.state === "closed") this.#client.connect();
  }

  #forget(tab) {
    if (!this.#tabs.delete(tab)) return; // it left the tab that led before; those that stay have not been heard of yet
    for (const key of [...this.#followed.keys()]) this.#unsubscribe(tab, key);
    if (!this.#tabs.size) this.#client.close();
  }

  #subscribe(tab, { key, name, since, wish }) {
    this.#tabs.add(tab);
    const known = this.#followed.get(key + name);
    if (!known) return this.#follow(tab, key, name, since, wish);
    known.tabs.add(tab);
    const { position, members } = known.channel;
    if (key === "channel" && since && !isReached(since, position)) known.rewind(since);
    else this.#tell(tab, { type: "subscribed", [key]: name, position: since ?? position, recovered: !!since });
    if (members.size) this.#tell(tab, { type: "presence", ...known.presence, channel: name, members: [...members.values()] });
  }

  #follow(tab, key, name, since, wish) {
    const channel = this.#client[key](name, wish);
    const known = { channel, tabs: new Set([tab]), ends: [] };
    const on = (type, handler) => known.ends.push(channel.on(type, handler));
    this.#followed.set(key + name, known);
    for (const type of ["item", "reset", "subscribed"])
      on(type, (told) => this.#say({ message: { ...(key === "pattern" && !told.channel && { pattern: name }), ...told, type } }));
    on("presence", (told) => {
      known.presence = told;
      this.#say({ message: { ...told, joined: [], left: [], channel: name, type: "presence" } });
    });
    on("error", (error) => this.#say({ message: { ...describe(error), [key]: name, type: "error" } }));
    known.rewind = (place) => {
      known.stop?.();
      if (place) this.#client.channel(name, { since: place });
      known.stop = channel.subscribe(() => {});
    };
    known.rewind(since);
  }

  #unsubscribe(tab, key) {
    const known = this.#followed.get(key);
    if (!known?.tabs.delete(tab) || known.tabs.size) return;
    known.stop();
    for (const end of known.ends) end();
    this.#followed.delete(key);
  }

  #publish(tab, { name, data, id }) {
    this.#client.channel(name).publish(data, { id }).then(
      ({ position }) => this.#tell(tab, { type: "published", channel: name, id, position }),
      (error) => this.#tell(tab, { ...describe(error), type: "error", id }),
    );
  }

  #tell(tab, message) {
    this.#say({ to: tab, message });
  }
}

/** An error as it goes to other tabs; a leading tab that has failed fails them all. */
function describe(error, state) {
  const { code = "connection_lost", message = "the leading tab has lost its connection", cure = "" } = error ?? {};
  return { code, message, cure, retryable: state !== "failed", _isOurs: true };
}

/** Whether a tab at `since` gets all that it lacks from what comes after `position`. */
function isReached(since, position = since) {
  const [[epoch, offset], [nowEpoch, now]] = [since.split(":"), position.split(":")];
  return epoch === nowEpoch && +offset >= +now;
}

/** Whom a token is for: two users of one browser share nothing. */
function subjectOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).sub ?? "";
  } catch {
    return "";
  }
}

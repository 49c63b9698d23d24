// Which channels and patterns a client knows, which of them are wanted, and what the server is told about that.

import { Channel } from "./channel.js";

/** A channel's options that the server is told. */
const WISHES = ["filter", "delta", "presence"];
/** Requests get longer than some proxies take with more channels than this. */
const MOST_CHANNELS_PER_REQUEST = 100;

export class Channels {
  #all = new Map();
  _wanted = new Set();

  /** `positions` by channel is the client's own map. */
  constructor(positions) {
    this._positions = positions;
  }

  /** The channel or pattern (`key` is which) of this name, made if it is new. */
  _find(core, key, name, options) {
    const known = this._get(key, name);
    if (!known) this.#all.set(key + name, new Channel(core, key, name, { ...options }));
    else if (options && !this._wanted.has(known)) Object.assign(known._options, options);
    if (options?.since) this._positions.set(name, options.since);
    return known ?? this._get(key, name);
  }

  _get(key, name) {
    return this.#all.get(key + name);
  }

  _isWanted(name) {
    return this._wanted.has(this._get("channel", name));
  }

  get _hasPatterns() {
    return [...this._wanted].some((one) => one._key === "pattern");
  }

  /** What is wanted and hears an item of this channel: the channel itself, and patterns. */
  _hearers(name) {
    return [...this._wanted].filter((one) =>
      one._key === "pattern" ? matches(one.name, name) : one.name === name,
    );
  }

  /** What is wanted, each as a command of a WebSocket has it. */
  _wishes() {
    const wishes = [...this._wanted].filter((channel) => channel._isBegun).map((channel) => this._wish(channel));
    for (const [name, since] of this._positions) {
      const [pattern] = this._hearers(name);
      if (pattern && !this._isWanted(name)) wishes.push({ ...this._wish(pattern), _key: "channel", name, since, _isFound: true });
    }
    return wishes;
  }

  _wish({ _key: key, name, _options: options }) {
    const wish = { _key: key, name, since: key === "channel" ? this._positions.get(name) : undefined };
    for (const one of WISHES) if (options[one]) wish[one] = options[one] === true && one === "delta" ? "merge-patch" : options[one];
    return wish;
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
    const since = channels.map((name) => this._positions.get(name) ?? "");
    if (since.some(Boolean)) query.set("since", since.join());
    return { query: "?" + query, channels, since };
  }
}

export function toQuery(members) {
  const known = Object.entries(members).filter(([, value]) => value !== undefined && value !== false);
  return String(new URLSearchParams(known));
}

const matches = (pattern, name) => name.startsWith(pattern.slice(0, -1));

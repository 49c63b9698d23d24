// What an application holds of a channel, or of a pattern: its handlers, and what it wants to have of it.

import { Emitter } from "./emitter.js";
import { FanoutError } from "./errors.js";

/** More items than this waiting for a slow `for await`: the oldest are dropped, and `reset` is told. */
const MOST_WAITING = 1000;

export class Channel extends Emitter {
  #core;

  /** Made by `Fanout.channel` and `Fanout.pattern`; `key` is which of these. */
  constructor(core, key, name, options) {
    super();
    this.#core = core;
    this._key = key;
    this.name = name;
    this._options = options;
    this.members = new Map();
  }

  /** Where the newest item stands: opaque; `undefined` before anything came. */
  get position() {
    return this.#core.positions.get(this.name);
  }

  /** Call `handler` with each item; returns what ends that. The last one to end it leaves the channel. */
  subscribe(handler) {
    const end = this.on("item", handler);
    this.#core._want(this);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      end();
      if (!this._count("item")) this.#core._leave(this);
    };
  }

  /** Publish a JSON value. Resolves with its position once it is stored; repeating it with the same `id` is safe. */
  publish(data, { id } = {}) {
    return this.#core._publish(this.name, data, id);
  }

  /** A page of kept items: newest first, or those `after` a position, oldest first. */
  async history({ limit = 100, before, after } = {}) {
    const page = await this.#core._read("history", { channel: this.name, limit, before, after });
    page.items = page.items.map((kept) => readItem({ ...kept, channel: this.name }));
    return page;
  }

  /** A page of who is on the channel, in order of their names. */
  presence({ limit = 100, cursor } = {}) {
    return this.#core._read("presence", { channel: this.name, limit, cursor });
  }

  /** Keep the list of members by a message of type `presence`, and tell it. */
  _noteMembers({ type, members, joined = [], left = [], ...told }) {
    if (members) this.members = new Map(members.map((member) => [member.user, member]));
    for (const member of joined) this.members.set(member.user, member);
    for (const user of left) this.members.delete(user);
    this._emit("presence", { ...told, joined, left, members: [...this.members.values()] });
  }

  async *[Symbol.asyncIterator]() {
    const waiting = [];
    let wake;
    let failure;
    const stop = this.subscribe((item) => {
      if (waiting.push(item) > MOST_WAITING) {
        waiting.shift();
        this._emit("reset", { channel: item.channel, position: item.position, reason: "slow_reader" });
      }
      wake?.();
    });
    const end = this.on("unsubscribed", (error) => {
      failure = error ?? new FanoutError("closed", "the client was closed");
      wake?.();
    });
    try {
      for (;;) {
        while (waiting.length) yield waiting.shift();
        if (failure) throw failure;
        await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      end();
      stop();
    }
  }
}

/** An item as the application gets it: `data` is JSON, text, or bytes. */
export function readItem({ type, text, base64, data, ...item }) {
  if (text !== undefined) data = text;
  if (base64) data = Uint8Array.from(atob(base64), (character) => character.charCodeAt());
  return { ...item, data };
}

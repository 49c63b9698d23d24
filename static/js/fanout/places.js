// Where each channel was left: the positions, what a patch is put on, and whether something is missing in between.

import { mergePatch } from "./deltas.js";
import { FanoutError } from "./errors.js";

export class Places {
  #bases = new Map();
  #filledFrom = new Map();

  /** `positions` by channel is the client's own map, which applications see, too. */
  constructor(positions) {
    this._positions = positions;
  }

  /** Begin at this position where none is known, or where the server says that the old one is void. */
  _begin(channel, position, isReset) {
    if (isReset) this.#bases.delete(channel);
    if (isReset || !this._positions.has(channel)) this._positions.set(channel, position);
  }

  /**
   * Go on to a message's position. Returns it with its patch put in place; nothing where it is known already.
   * Throws where items are missing in between: `isWhole` if every one was to come. `keeps` what a later patch is put on.
   */
  _take({ base, patch, ...message }, isWhole, keeps) {
    const { channel, position } = message;
    const last = this._positions.get(channel);
    if (last && isSameEpoch(last, position)) {
      const gap = offsetOf(position) - offsetOf(last);
      if (gap <= 0) return;
      const isBroken = patch !== undefined ? base !== this.#bases.get(channel)?.position : gap > 1 && isWhole;
      if (isBroken && this.#filledFrom.get(channel) !== last) {
        this.#filledFrom.set(channel, last); // once: whoever skips it twice has it no more
        throw new FanoutError("gap", "items are missing", { _isSoon: true });
      }
    }
    this._positions.set(channel, position);
    if (patch !== undefined) message.data = mergePatch(this.#bases.get(channel)?.data, patch);
    if (keeps && message.type === "item") this.#bases.set(channel, message);
    return message;
  }

  _forget(channel) {
    this._positions.delete(channel);
    this.#bases.delete(channel);
  }
}

const isSameEpoch = (a, b) => a.split(":")[0] === b.split(":")[0];
const offsetOf = (position) => +position.split(":")[1];

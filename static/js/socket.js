// A WebSocket that comes back: after a loss it tries again, at growing and random intervals.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const NOT_FOUND = 4404; // what was watched is gone, or is no longer this browser's: trying again is of no use

export class ReturningSocket {
  /**
   * address: returns the URL, asked at each try, so that it can carry the newest position.
   * onMessage: gets each message, parsed from JSON.
   * onState: gets "waiting" (connecting), "live", "down" with the milliseconds until the next try, or "over" for good.
   * quietMs: a connection that says nothing for this long counts as lost.
   */
  constructor({ address, onMessage, onState, quietMs }) {
    this.address = address;
    this.onMessage = onMessage;
    this.onState = onState;
    this.quietMs = quietMs;
    this.failures = 0;
    window.addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    window.addEventListener("pageshow", (event) => event.persisted && this.hurry());
  }

  connect() {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.onState("waiting");
    const socket = new WebSocket(this.address());
    this.socket = socket;
    this.watchSilence();
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      if (this.failures || !this.isLive) {
        this.failures = 0;
        this.isLive = true;
        this.onState("live");
      }
      this.watchSilence();
      this.onMessage(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      if (event.code === NOT_FOUND) this.end();
      else this.comeBack();
    });
  }

  /** Send a JSON message if the connection is open; what must reach the server is said again when it opens. */
  say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Try now if a try is due anyway. */
  hurry() {
    if (this.retryTimer !== undefined) this.connect();
  }

  /** Give up a connection that has gone silent: a half-open one would never say so. */
  watchSilence() {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => {
      this.socket.close();
      this.comeBack();
    }, this.quietMs);
  }

  end() {
    clearTimeout(this.silenceTimer);
    this.socket = undefined;
    this.isLive = false;
    this.onState("over");
  }

  comeBack() {
    clearTimeout(this.silenceTimer);
    this.socket = undefined;
    this.isLive = false;
    const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    const delay = ceiling * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.onState("down", delay);
    this.retryTimer = setTimeout(() => this.connect(), delay);
  }
}

/** The WebSocket address of a path on this host. */
export function socketAddress(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

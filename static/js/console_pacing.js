// How much of a stream a person can read: a few rows a second, and in plain words how many of how many those are.

const WINDOW_S = 3;
const BURST = 40; // what comes at once after a quiet time is shown as it is
const ALWAYS = new Set(["refused", "origin_failed", "disconnected", "sampled"]);

export class Pacer {
  /** box: where it says what is left out, if anywhere; pace: the choice of rows per second, 0 for no limit. */
  constructor({ box, pace }) {
    this.box = box;
    this.paceBox = pace;
    this.left = BURST;
    this.at = performance.now();
    this.counts = []; // [time, shown, left out], newest last
  }

  get perSecond() {
    return Number(this.paceBox.value);
  }

  /** Whether the event is to be shown; errors always are. */
  admit(event) {
    const now = performance.now();
    this.left = Math.min(BURST, this.left + ((now - this.at) / 1000) * this.perSecond);
    this.at = now;
    if (event.kind === "sampled") return true;
    if (this.perSecond && !ALWAYS.has(event.kind)) {
      if (this.left < 1) {
        this.count(now, 0, 1);
        return false;
      }
      this.left -= 1;
    }
    this.count(now, 1, 0);
    return true;
  }

  /** Know that the server has left events out. */
  leaveOut(count) {
    this.count(performance.now(), 0, count);
  }

  count(now, shown, leftOut) {
    const last = this.counts.at(-1);
    if (last && now - last[0] < 100) {
      last[1] += shown;
      last[2] += leftOut;
    } else this.counts.push([now, shown, leftOut]);
  }

  /** Say how much is shown of what happens. */
  show() {
    const since = performance.now() - WINDOW_S * 1000;
    this.counts = this.counts.filter(([time]) => time >= since);
    const shown = this.counts.reduce((sum, [, count]) => sum + count, 0);
    const leftOut = this.counts.reduce((sum, [, , count]) => sum + count, 0);
    this.box.hidden = leftOut === 0;
    if (!leftOut) return;
    const all = shown + leftOut;
    const rate = Math.round(all / WINDOW_S).toLocaleString();
    this.box.textContent =
      `Showing 1 in ${Math.max(2, Math.round(all / Math.max(1, shown))).toLocaleString()}: about ${rate} events a second happen. ` +
      "Errors have a share of their own. Filter by channel, user or transport to see all of less.";
  }
}

// The stream of events in the console: the newest first, at most 500, filtered, held back while paused.

import { clock, clockExact, make, plural, sentence } from "./dom.js";

const MAX_ROWS = 500;
const NAMES = {
  published: "Published",
  delivered: "Delivered",
  connected: "Connected",
  disconnected: "Disconnected",
  refused: "Refused",
  origin_failed: "Origin failed",
  presence: "Presence",
  passed_on: "Passed on",
  commanded: "Command",
};
// One choice in the filter for several kinds.
const CHOICE_OF = { disconnected: "connected", presence: "connected", commanded: "published", origin_failed: "refused" };

function comings(event) {
  const joined = event.joined.length ? `joined: ${event.joined.join(", ")}` : "";
  const left = event.left.length ? `left: ${event.left.join(", ")}` : "";
  return [joined, left].filter(Boolean).join("; ");
}

function describe(event) {
  const transports = Object.entries(event.by_transport ?? {}).map(([name, count]) => `${count} × ${name}`);
  return {
    published: () => ({ channel: event.channel, text: event.preview, side: `${event.size_bytes} B · ${event.key ? `…${event.key.replace("…", "")}` : event.via}` }),
    delivered: () => ({ channel: event.channel, text: `to ${plural(event.subscribers, "subscriber")}`, side: transports.join(", ") }),
    connected: () => ({ channel: event.channels.join(", "), text: [event.user, `from ${event.address}`].filter(Boolean).join(" "), side: event.transport }),
    disconnected: () => ({ channel: event.channels.join(", "), text: [event.user, event.reason.replaceAll("_", " ")].filter(Boolean).join(": "), side: event.transport }),
    presence: () => ({ channel: event.channel, text: comings(event), side: `${plural(event.members, "member")}${event.occupancy ? ` · ${event.occupancy}` : ""}` }),
    refused: () => ({ channel: event.field ?? "", text: `${sentence(event.message)} ${sentence(event.cure)}`, side: `${event.status} ${event.code}` }),
    commanded: () => ({ channel: event.channel, text: [event.command, `from ${event.user}`, event.message].filter(Boolean).join(" · "), side: `${event.transport} · ${event.outcome}` }),
    passed_on: () => ({ channel: event.origin, text: `${event.method} ${event.path}`, side: `${event.status} · ${Math.round(event.wait_s * 1000)} ms` }),
    origin_failed: () => ({ channel: event.field ?? event.origin, text: `${sentence(event.message)} ${sentence(event.cure)}`, side: `${event.method} ${event.path} · ${event.cause.replaceAll("_", " ")}` }),
  }[event.kind]?.() ?? { channel: "", text: "", side: "" };
}

function row(event, onCopy) {
  if (event.kind === "sampled") {
    const time = clock(event.since) === clock(event.at) ? `at ${clock(event.at)}` : `from ${clock(event.since)} to ${clock(event.at)}`;
    const words = `${plural(event.dropped, "more event")} ${time} not shown: more happened than can be read.`;
    return make("li", { class: "event event-note", text: words });
  }
  const { channel, text, side } = describe(event);
  const line = make(
    "summary",
    { class: "event-line" },
    make("time", { class: "event-time", text: clockExact(event.at) }),
    make("span", { class: "event-kind", text: NAMES[event.kind] ?? event.kind, data: { kind: event.kind } }),
    make("span", { class: "event-channel", text: channel, title: channel }),
    make("span", { class: "event-text", text }),
    make("span", { class: "event-side", text: side }),
  );
  const details = make("details", {}, line);
  // The full text is only made when somebody asks for it.
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      details.append(make("pre", { class: "event-full", text: JSON.stringify(event, null, 2) }));
      if (event.kind === "published" && onCopy) {
        const button = make("button", { class: "button button-small", type: "button", text: "Publish an edited copy…" });
        button.addEventListener("click", () => onCopy(event));
        details.append(make("p", { class: "event-ways" }, button));
      }
    }
  });
  const item = make("li", { class: "event" }, details);
  if (event.kind === "refused" || event.kind === "origin_failed") item.dataset.refused = "";
  return item;
}

function isIn(wanted, names) {
  return !wanted || names.some((name) => name?.includes(wanted));
}

function isDeliveryOf(published, event) {
  return (
    published.kind === "published" &&
    published.position !== null &&
    event?.kind === "delivered" &&
    event.channel === published.channel &&
    event.position === published.position
  );
}

export class EventList {
  constructor({ list, empty, filtered, onCopy }) {
    this.list = list;
    this.emptyBox = empty;
    this.filteredBox = filtered;
    this.onCopy = onCopy;
    this.isPaused = false;
    this.kept = []; // newest last
    this.fresh = [];
    this.wanted = { channel: "", user: "", transport: "", text: "", kinds: null };
    this.showEmptiness();
  }

  get waiting() {
    return this.isPaused ? this.fresh.length : 0;
  }

  add(event) {
    if (event.kind === "sampled") {
      this.leaveOut(event, event.dropped);
      return;
    }
    this.fresh.splice(this.placeOf(event), 0, event);
    if (this.fresh.length > MAX_ROWS) this.fresh.splice(0, this.fresh.length - MAX_ROWS);
  }

  /** Note that events are not shown: those that follow one another make one line. */
  leaveOut(event, dropped = 1) {
    const last = this.fresh.at(-1);
    if (last?.kind === "sampled") {
      last.dropped += dropped;
      last.at = event.at;
    } else this.fresh.push({ kind: "sampled", since: event.at, at: event.at, dropped });
  }

  /** One line for what is left out, while nothing but that happens. */
  joinNotes() {
    const last = this.kept.at(-1);
    if (last?.kind !== "sampled" || this.fresh[0]?.kind !== "sampled") return;
    this.kept.pop();
    this.list.firstElementChild?.remove();
    this.fresh[0].since = last.since;
    this.fresh[0].dropped += last.dropped;
  }

  /** A delivery may be told before its publish, when both are in the same process: the publish came first. */
  placeOf(event) {
    let place = this.fresh.length;
    while (isDeliveryOf(event, this.fresh[place - 1])) place -= 1;
    return place;
  }

  /** The same when the delivery is on the page already: it comes off, to follow its publish. */
  takeBackDeliveries() {
    while (isDeliveryOf(this.fresh[0], this.kept.at(-1))) {
      const delivery = this.kept.pop();
      this.fresh.splice(1, 0, delivery);
      if (this.matches(delivery)) this.list.firstElementChild?.remove();
    }
  }

  clear() {
    this.kept = [];
    this.fresh = [];
    this.list.replaceChildren();
    this.showEmptiness();
  }

  filter(wanted) {
    this.wanted = { ...wanted, text: wanted.text.toLowerCase() };
    this.list.replaceChildren(...this.rowsOf(this.kept));
    this.showEmptiness();
  }

  /** Bring the page up to date. Keeps the reader's place: only somebody at the top sees rows move. */
  draw() {
    if (this.isPaused || !this.fresh.length) return;
    this.joinNotes();
    this.takeBackDeliveries();
    const fresh = this.fresh;
    this.fresh = [];
    this.kept = [...this.kept, ...fresh].slice(-MAX_ROWS);
    const rows = this.rowsOf(fresh);
    const heightBefore = this.list.scrollHeight;
    const isReadingBelow = this.list.scrollTop > 4;
    this.list.prepend(...rows);
    if (isReadingBelow) this.list.scrollTop += this.list.scrollHeight - heightBefore;
    while (this.list.children.length > MAX_ROWS) this.list.lastElementChild.remove();
    this.showEmptiness();
  }

  /** Rows of events, the newest first. */
  rowsOf(events) {
    return events.filter((event) => this.matches(event)).reverse().map((event) => row(event, this.onCopy));
  }

  /** The same as the server's own filter (docs/api/activity.md): what is on the page already obeys it, too. */
  matches(event) {
    if (event.kind === "sampled") return true;
    const { channel, user, transport, text, kinds } = this.wanted;
    if (kinds && !kinds.has(CHOICE_OF[event.kind] ?? event.kind)) return false;
    return (
      isIn(channel, [event.channel, ...(event.channels ?? [])]) &&
      isIn(user, [event.user, ...(event.joined ?? []), ...(event.left ?? [])]) &&
      (!transport || event.transport === transport || transport in (event.by_transport ?? {})) &&
      (!text || JSON.stringify(event).toLowerCase().includes(text))
    );
  }

  showEmptiness() {
    const hasRows = this.list.children.length > 0;
    this.list.toggleAttribute("data-empty", !hasRows);
    this.emptyBox.hidden = hasRows || this.kept.length > 0;
    this.filteredBox.hidden = hasRows || this.kept.length === 0;
  }
}

// Who is connected now, worked out from connects and disconnects.

import { clock, make, plural } from "./dom.js";

const MAX_SHOWN = 100;
const MAX_KNOWN = 5000;

export class ConnectionList {
  constructor({ list, count, empty, more }) {
    this.list = list;
    this.countBox = count;
    this.emptyBox = empty;
    this.moreBox = more;
    this.byId = new Map();
    this.isStale = true;
  }

  /** Forget everybody: the server tells again who is there. */
  restart() {
    this.byId.clear();
    this.isStale = true;
  }

  note(event) {
    if (event.kind === "connected") {
      if (this.byId.size < MAX_KNOWN || this.byId.has(event.connection)) this.byId.set(event.connection, event);
    } else if (event.kind === "disconnected") this.byId.delete(event.connection);
    else return;
    this.isStale = true;
  }

  draw() {
    if (!this.isStale) return;
    this.isStale = false;
    const known = [...this.byId.values()];
    this.countBox.textContent = `${known.length.toLocaleString()}${known.length === MAX_KNOWN ? "+" : ""}`;
    this.list.replaceChildren(...known.slice(-MAX_SHOWN).reverse().map(entry));
    this.emptyBox.hidden = known.length > 0;
    this.moreBox.hidden = known.length <= MAX_SHOWN;
    this.moreBox.textContent = `and ${plural(known.length - MAX_SHOWN, "other")}`;
  }
}

function entry(event) {
  const channels = event.channels.join(", ") || "no channel yet";
  const who = [event.user, event.address].filter(Boolean).join(" · ");
  return make(
    "li",
    { class: "connection", title: `Connection ${event.connection}, since ${clock(event.at)}` },
    make("span", { text: event.transport }),
    make("span", { class: "soft", text: who }),
    make("span", { class: "connection-channels", text: channels }),
  );
}

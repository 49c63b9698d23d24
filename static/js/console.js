// The live console. Events wait in a list and reach the page once per animation frame, however fast they come.

import { ConnectionList } from "./console_connections.js";
import { EventList } from "./console_events.js";
import { ItemDialog } from "./console_item.js";
import { Pacer } from "./console_pacing.js";
import { watchRealm } from "./live.js";

const RATE_WINDOW_S = 5;

const byId = (id) => document.getElementById(id);
const root = byId("console");

const dialog = new ItemDialog(byId("item-dialog"), byId("item-dialog-body"));
const publish = byId("publish"); // not there for those who may only look
const pacer = new Pacer({ box: byId("sampling"), pace: byId("pace") });
const unseen = new Pacer({ pace: byId("pace") }); // what the filter hides must not use up the page's room either

const events = new EventList({
  list: byId("events"),
  empty: byId("events-empty"),
  filtered: byId("events-filtered"),
  onCopy: publish && ((event) => dialog.open(event)),
});
const connections = new ConnectionList({
  list: byId("connections"),
  count: byId("connection-count"),
  empty: byId("connections-empty"),
  more: byId("connections-more"),
});

// -- tools ----------------

const fields = {
  channel: byId("filter-channel"),
  user: byId("filter-user"),
  transport: byId("filter-transport"),
  text: byId("search"),
};
const filtering = byId("filtering"); // seen on phones only
const kindBoxes = [...root.querySelectorAll("[name=kind]")];
const pause = byId("pause");

const TELL_AFTER_MS = 300; // the server need not hear of each letter
let telling;

/** What the fields say; the server leaves out of a flood only what passes this. */
function wanted() {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]));
}

function applyFilter() {
  const kinds = new Set(kindBoxes.filter((box) => box.checked).map((box) => box.value));
  events.filter({ ...wanted(), kinds });
  clearTimeout(telling);
  telling = setTimeout(tellFilter, TELL_AFTER_MS);
}

function tellFilter() {
  feed.say(wanted());
}

function showPause() {
  const waiting = events.waiting;
  pause.setAttribute("aria-pressed", String(events.isPaused));
  pause.textContent = events.isPaused ? `Resume${waiting ? ` (${waiting} new)` : ""}` : "Pause";
}

for (const field of Object.values(fields)) field.addEventListener("input", applyFilter);
for (const box of kindBoxes) box.addEventListener("change", applyFilter);
filtering.addEventListener("click", () => {
  const isOpen = byId("tools").toggleAttribute("data-open");
  filtering.setAttribute("aria-expanded", String(isOpen));
});
pause.addEventListener("click", () => {
  events.isPaused = !events.isPaused;
  showPause();
  schedule();
});
byId("clear").addEventListener("click", () => {
  events.clear();
  showPause();
});
byId("unfilter").addEventListener("click", () => {
  for (const field of Object.values(fields)) field.value = "";
  for (const box of kindBoxes) box.checked = true;
  applyFilter();
  fields.text.focus();
});
publish?.addEventListener("click", () => dialog.open(null));

// -- drawing ----------------

let isScheduled = false;
let seen = [];

function draw() {
  isScheduled = false;
  events.draw();
  connections.draw();
  if (events.isPaused) showPause();
}

function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(draw);
}

function showRate() {
  const since = performance.now() - RATE_WINDOW_S * 1000;
  seen = seen.filter(([time]) => time >= since);
  const perSecond = seen.reduce((sum, [, count]) => sum + count, 0) / RATE_WINDOW_S;
  byId("rate").textContent = perSecond ? `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} events/s` : "";
  pacer.show();
}

setInterval(showRate, 1000);

const feed = watchRealm(root.dataset.realm, {
  pill: byId("feed-state"),
  onEvent(event) {
    if (event.kind === "watching") {
      connections.restart();
      tellFilter();
    } else {
      if (event.kind === "sampled") pacer.leaveOut(event.dropped);
      if (events.matches(event)) {
        if (pacer.admit(event)) events.add(event);
        else events.leaveOut(event);
      } else if (unseen.admit(event)) events.add(event);
      connections.note(event);
      seen.push([performance.now(), event.kind === "sampled" ? event.dropped : 1]);
    }
    schedule();
  },
});

// The live console. Events wait in a list and reach the page once per animation frame, however fast they come.

import { EventList } from "./console_events.js";
import { ConnectionList } from "./console_connections.js";
import { watchRealm } from "./live.js";

const RATE_WINDOW_S = 5;

const byId = (id) => document.getElementById(id);
const root = byId("console");

const events = new EventList({
  list: byId("events"),
  empty: byId("events-empty"),
  filtered: byId("events-filtered"),
});
const connections = new ConnectionList({
  list: byId("connections"),
  count: byId("connection-count"),
  empty: byId("connections-empty"),
  more: byId("connections-more"),
});

// -- tools ----------------

const search = byId("search");
const kindBoxes = [...root.querySelectorAll("[name=kind]")];
const pause = byId("pause");

function applyFilter() {
  const kinds = new Set(kindBoxes.filter((box) => box.checked).map((box) => box.value));
  events.filter({ text: search.value.trim().toLowerCase(), kinds });
}

function showPause() {
  const waiting = events.waiting;
  pause.setAttribute("aria-pressed", String(events.isPaused));
  pause.textContent = events.isPaused ? `Resume${waiting ? ` (${waiting} new)` : ""}` : "Pause";
}

search.addEventListener("input", applyFilter);
for (const box of kindBoxes) box.addEventListener("change", applyFilter);
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
  search.value = "";
  for (const box of kindBoxes) box.checked = true;
  applyFilter();
  search.focus();
});

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
}

setInterval(showRate, 1000);

watchRealm(root.dataset.realm, {
  pill: byId("feed-state"),
  onEvent(event) {
    if (event.kind === "watching") connections.restart();
    else {
      events.add(event);
      connections.note(event);
      seen.push([performance.now(), event.kind === "sampled" ? event.dropped : 1]);
    }
    schedule();
  },
});

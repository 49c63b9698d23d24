// The first page: once there is a sandbox, subscribe to its channel and show what the server sees of it.

import { plural } from "./dom.js";
import { listen } from "./item_list.js";
import { watchRealm } from "./live.js";
import { clearRefusals, showRefusal } from "./refusals.js";

const others = new Set();
let begun;

function showOthers() {
  const foot = document.getElementById("arrivals-others");
  const count = others.size - 1; // one of them is this page
  foot.textContent = count > 0 ? `${plural(count, "other subscriber")} connected` : "";
}

function onEvent(event) {
  if (event.kind === "refused") showRefusal(event);
  if (event.kind === "published") clearRefusals();
  if (event.kind === "connected") others.add(event.connection);
  if (event.kind === "disconnected") others.delete(event.connection);
  if (event.kind === "watching") others.clear();
  showOthers();
}

function begin() {
  const root = document.getElementById("sandbox");
  if (!root?.dataset.realm || begun === root.dataset.realm) return;
  begun = root.dataset.realm;
  listen({ realm: begun, channel: root.dataset.channel });
  watchRealm(begun, { pill: document.getElementById("feed-state"), onEvent });
}

document.addEventListener("htmx:load", begin);
begin();

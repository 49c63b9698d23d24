// The first page: have a sandbox made, subscribe to its channel and show what the server sees of it.

import { plural } from "./dom.js";
import { listen, noteElsewhere } from "./item_list.js";
import { loadHtmx, sendByHtmx } from "./late_htmx.js";
import { watchRealm } from "./live.js";
import { clearRefusals, showRefusal } from "./refusals.js";
import { NO_ANSWER, toast, wordsFor } from "./toast.js";

const others = new Set();
let channel;

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
  noteElsewhere(event, channel);
  showOthers();
}

/** Have a sandbox made, and put it in the place that waits for it: by hand, since htmx is not there yet. */
async function openSandbox() {
  const form = document.getElementById("open-sandbox");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "HX-Request": "true" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!answer.ok && answer.status !== 429) return toast(wordsFor(answer.status));
    document.getElementById("sandbox").outerHTML = await answer.text();
  } catch {
    toast(NO_ANSWER);
  }
}

async function begin() {
  if (document.getElementById("open-sandbox")) await openSandbox();
  const { realm } = document.getElementById("sandbox").dataset;
  if (!realm) return;
  channel = document.getElementById("sandbox").dataset.channel;
  listen({ realm, channel });
  watchRealm(realm, { pill: document.getElementById("feed-state"), onEvent });
}

const { htmx } = document.getElementById("try").dataset;
sendByHtmx(htmx);
begin().then(() => loadHtmx(htmx));

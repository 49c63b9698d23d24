// The quick start for webhooks: ticks from what the server saw, refused publishes, and a look at what came when it may have.

import { watchRealm } from "./live.js";
import { clearRefusals, showRefusal } from "./refusals.js";
import { announce, markDone } from "./steps.js";
import { setUpTabs } from "./tabs.js";

const root = document.getElementById("webhook-start");
const { realm, channel } = root.dataset;
const byId = (id) => document.getElementById(id);

for (const tabs of root.querySelectorAll("[data-tabs]")) setUpTabs(tabs);

const STEPS = { published: "You publish", called: "It is called, signed" };

/** What the server says of itself each time: which steps it has seen in its records. */
function readCame() {
  const came = byId("came");
  for (const [step, title] of Object.entries(STEPS)) {
    if (step in (came?.dataset ?? {}) && markDone(step, { isNews: true })) announce(`${title}: done.`);
  }
  if ("called" in (came?.dataset ?? {})) byId("next").hidden = false;
}

function onEvent(event) {
  if (event.kind === "refused") showRefusal(event);
  if (event.kind !== "published") return;
  clearRefusals();
  if (event.channel === channel && byId("came")) byId("came").dispatchEvent(new Event("look"));
}

document.addEventListener("htmx:afterSettle", readCame);
watchRealm(realm, { pill: byId("feed-state"), onEvent });

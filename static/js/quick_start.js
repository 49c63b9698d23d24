// The quick start: a live subscriber on the page, and ticks and refusals from what the server saw.

import { clock, plural } from "./dom.js";
import { listen, noteElsewhere } from "./item_list.js";
import { watchRealm } from "./live.js";
import { clearRefusals, showRefusal } from "./refusals.js";
import { announce, markDone } from "./steps.js";
import { setUpTabs } from "./tabs.js";

const root = document.getElementById("quick-start");
const { realm, channel } = root.dataset;
const byId = (id) => document.getElementById(id);

for (const tabs of root.querySelectorAll("[data-tabs]")) setUpTabs(tabs);

// -- ticks ----------------

const STEPS = { subscribed: "Somebody listens", published: "You publish", delivered: "It arrives" };
const KIND_TO_STEP = { connected: "subscribed", published: "published", delivered: "delivered" };

function tick(step, { isNews }) {
  if (!markDone(step, { isNews })) return;
  const isComplete = Object.keys(STEPS).every((name) => "done" in byId(`step-${name}`).dataset);
  if (isNews) announce(`${STEPS[step]}: done.${isComplete ? " All three steps are done." : ""}`);
  if (isComplete) byId("next")?.removeAttribute("hidden");
}

// -- what the server saw ----------------

function onEvent(event) {
  if (event.kind === "watching") {
    for (const step of Object.keys(STEPS)) if (event.progress[step]) tick(step, { isNews: false });
    return;
  }
  if (event.kind === "refused") showRefusal(event);
  if (event.kind === "published") clearRefusals();
  if (!("done" in byId("step-delivered").dataset)) noteElsewhere(event, channel);
  if (event.kind === "delivered") {
    const line = byId("saw-delivered");
    line.textContent = `Last delivery at ${clock(event.at)}, to ${plural(event.subscribers, "subscriber")} on “${event.channel}”.`;
    line.hidden = false;
  }
  if (event.kind in KIND_TO_STEP) tick(KIND_TO_STEP[event.kind], { isNews: true });
}

watchRealm(realm, { pill: byId("feed-state"), onEvent });

// -- the subscriber ----------------

listen({ realm, channel });

// The quick start for web applications: ticks, and what the application's server did wrong.

import { clock, make, plural, sentence } from "./dom.js";
import { watchRealm } from "./live.js";
import { announce, markDone } from "./steps.js";
import { setUpTabs } from "./tabs.js";

const MAX_FAILURES = 3;
const HOLD = "hold-";

const root = document.getElementById("app-start");
const byId = (id) => document.getElementById(id);

for (const tabs of root.querySelectorAll("[data-tabs]")) setUpTabs(tabs);

const STEPS = { passed_on: "Requests reach your server", held: "It has a request held", pushed: "You push through it" };

function tick(step, { isNews, words }) {
  if (words) {
    const line = byId(`saw-${step}`);
    line.textContent = words;
    line.hidden = false;
  }
  if (markDone(step, { isNews }) && isNews) announce(`${STEPS[step]}: done.`);
}

function showFailure(event) {
  const list = byId("failures");
  const facts = `${event.method} ${event.path} at ${clock(event.at)}`;
  const same = `${event.cause} ${event.message}`;
  const known = [...list.children].find((card) => card.dataset.same === same);
  if (known) {
    known.querySelector(".refusal-facts").textContent = `${facts} · again`;
    return;
  }
  const card = make(
    "article",
    { class: "refusal", data: { same } },
    make("p", { class: "refusal-cause", text: `Your server: ${sentence(event.message)}` }),
    make("p", { class: "refusal-cure", text: event.cure ? sentence(event.cure) : "" }),
    make("p", { class: "refusal-facts", text: facts }),
  );
  list.prepend(card);
  while (list.children.length > MAX_FAILURES) list.lastElementChild.remove();
}

function onEvent(event) {
  if (event.kind === "watching") {
    for (const step of Object.keys(STEPS)) if (event.progress[step]) tick(step, { isNews: false });
  } else if (event.kind === "origin_failed") {
    showFailure(event);
  } else if (event.kind === "passed_on") {
    byId("failures").replaceChildren();
    const words = `Last answered at ${clock(event.at)}: ${event.method} ${event.path}, ${event.status} from ${event.origin}.`;
    tick("passed_on", { isNews: true, words });
  } else if (event.kind === "connected" && event.transport.startsWith(HOLD)) {
    tick("held", { isNews: true, words: `Held since ${clock(event.at)}, on ${event.channels.join(", ")}.` });
  } else if (event.kind === "delivered") {
    const holds = Object.entries(event.by_transport).filter(([name]) => name.startsWith(HOLD));
    const count = holds.reduce((sum, [, each]) => sum + each, 0);
    if (count) tick("pushed", { isNews: true, words: `Pushed at ${clock(event.at)}, to ${plural(count, "held connection")}.` });
  }
}

watchRealm(root.dataset.realm, { pill: byId("feed-state"), onEvent });

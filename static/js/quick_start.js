// The quick start: a live subscriber on the page, and ticks and refusals from what the server saw.

import { clock, make, plural, sentence, showState } from "./dom.js";
import { watchRealm } from "./live.js";
import { subscribe } from "./subscriber.js";
import { setUpTabs } from "./tabs.js";

const MAX_ITEMS = 50;
const MAX_REFUSALS = 3;

const root = document.getElementById("quick-start");
const { realm, channel } = root.dataset;
const byId = (id) => document.getElementById(id);

for (const tabs of root.querySelectorAll("[data-tabs]")) setUpTabs(tabs);

// -- ticks ----------------

const STEPS = { subscribed: "Somebody listens", published: "You publish", delivered: "It arrives" };
const KIND_TO_STEP = { connected: "subscribed", published: "published", delivered: "delivered" };

function tick(step, { isNews }) {
  const box = byId(`step-${step}`);
  if ("done" in box.dataset) return;
  box.dataset.done = "";
  box.querySelector("[data-step-state]").textContent = "(done)";
  const isComplete = Object.keys(STEPS).every((name) => "done" in byId(`step-${name}`).dataset);
  if (isNews) {
    box.dataset.fresh = "";
    byId("announcer").textContent = `${STEPS[step]}: done.${isComplete ? " All three steps are done." : ""}`;
  }
  if (isComplete) byId("next").hidden = false;
}

// -- refusals ----------------

function factsOf(event) {
  const parts = [`${event.status} ${event.code}`, `at ${clock(event.at)}`];
  if (event.field && !event.message.startsWith(event.field)) parts.push(`in ${event.field}`);
  if (event.address) parts.push(`from ${event.address}`);
  return parts.join(" · ");
}

function showRefusal(event) {
  const list = byId("refusals");
  const same = `${event.code} ${event.field} ${event.message}`;
  const known = [...list.children].find((card) => card.dataset.same === same);
  if (known) {
    known.querySelector(".refusal-facts").textContent = `${factsOf(event)} · again`;
    return;
  }
  const dismiss = make("button", { class: "button button-small button-text", type: "button", text: "Dismiss" });
  const card = make(
    "article",
    { class: "refusal", data: { same } },
    make("p", { class: "refusal-cause", text: `Refused: ${sentence(event.message)}` }),
    dismiss,
    make("p", { class: "refusal-cure", text: sentence(event.cure) }),
    make("p", { class: "refusal-facts", text: factsOf(event) }),
  );
  dismiss.addEventListener("click", () => card.remove());
  list.prepend(card);
  while (list.children.length > MAX_REFUSALS) list.lastElementChild.remove();
}

function clearRefusals() {
  byId("refusals").replaceChildren();
}

// -- what the server saw ----------------

function onEvent(event) {
  if (event.kind === "watching") {
    for (const step of Object.keys(STEPS)) if (event.progress[step]) tick(step, { isNews: false });
    return;
  }
  if (event.kind === "refused") showRefusal(event);
  if (event.kind === "published") clearRefusals();
  if (event.kind === "delivered") {
    const line = byId("saw-delivered");
    line.textContent = `Last delivery at ${clock(event.at)}, to ${plural(event.subscribers, "subscriber")} on “${event.channel}”.`;
    line.hidden = false;
  }
  if (event.kind in KIND_TO_STEP) tick(KIND_TO_STEP[event.kind], { isNews: true });
}

watchRealm(realm, { pill: byId("feed-state"), onEvent });

// -- the subscriber ----------------

const items = byId("items");

function addRow(row) {
  byId("items-empty").hidden = true;
  items.prepend(row);
  while (items.children.length > MAX_ITEMS) items.lastElementChild.remove();
}

/** `{"text": "…"}`, as the snippets send it, reads as its text; anything else as JSON. */
function showData(data) {
  const isText = data && typeof data === "object" && typeof data.text === "string" && Object.keys(data).length === 1;
  if (isText) return make("p", { class: "item-data", text: data.text });
  return make("pre", { class: "item-data", text: JSON.stringify(data, null, 2) });
}

subscribe({
  realm,
  channel,
  onItem(item) {
    const facts = make(
      "p",
      { class: "item-facts" },
      make("time", { text: clock(Date.now() / 1000) }),
      make("span", { text: item.id ? `id ${item.id}` : item.position }),
    );
    addRow(make("li", { class: "item" }, showData(item.data), facts));
  },
  onReset() {
    addRow(make("li", { class: "item item-note", text: "Some items were missed while the connection was away." }));
  },
  onProblem(problem) {
    addRow(make("li", { class: "item item-note", text: sentence(problem.message) }));
  },
  onState(state) {
    const words = { waiting: "Connecting", live: "Connected", down: "Connection lost; coming back" }[state];
    showState(byId("subscriber-state"), state === "down" ? "down" : state, words);
  },
});

// A live subscriber shown on a page: the elements "items", "items-empty" and "subscriber-state".

import { clock, make, sentence, showState } from "./dom.js";
import { subscribe } from "./subscriber.js";

const MAX_ITEMS = 50;
const byId = (id) => document.getElementById(id);

function addRow(row) {
  const items = byId("items");
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

/** Say that something was published to another channel than the one that is shown: a slip, most often. */
export function noteElsewhere(event, channel) {
  if (event.kind !== "published" || event.channel === channel) return;
  const words = `Published to “${event.channel}”. Here is what comes on “${channel}”.`;
  if (byId("items").firstElementChild?.textContent !== words) addRow(make("li", { class: "item item-note", text: words }));
}

/** Subscribe to the channel and show each item, the newest first. `onItem` is called after one is shown. */
export function listen({ realm, channel, onItem, onProblem }) {
  return subscribe({
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
      onItem?.(item);
    },
    onReset() {
      addRow(make("li", { class: "item item-note", text: "Some items were missed while the connection was away." }));
    },
    onProblem(problem) {
      if (onProblem) onProblem(problem);
      else addRow(make("li", { class: "item item-note", text: sentence(problem.message) }));
    },
    onState(state) {
      const words = { waiting: "Connecting", live: "Connected", down: "Connection lost; coming back", over: "Ended" }[state];
      showState(byId("subscriber-state"), state === "over" ? "down" : state, words);
    },
  });
}

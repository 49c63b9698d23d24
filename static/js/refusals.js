// What the server refused, with cause and cure, as cards in the element "refusals".

import { clock, make, sentence } from "./dom.js";

const MAX_REFUSALS = 3;
const byId = (id) => document.getElementById(id);

function factsOf(event) {
  const parts = [`${event.status} ${event.code}`, `at ${clock(event.at)}`];
  if (event.field && !event.message.startsWith(event.field)) parts.push(`in ${event.field}`);
  if (event.address) parts.push(`from ${event.address}`);
  return parts.join(" · ");
}

export function showRefusal(event) {
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

export function clearRefusals() {
  byId("refusals").replaceChildren();
}

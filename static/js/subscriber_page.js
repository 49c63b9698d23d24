// One channel on a page of its own, for phones: the newest item first, and how many are new in the title.

import { sentence } from "./dom.js";
import { listen } from "./item_list.js";

const { realm, channel } = document.getElementById("watch").dataset;
const title = document.title;
let unseen = 0;

function showCount() {
  document.title = unseen ? `(${unseen}) ${title}` : title;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  showCount();
});

listen({
  realm,
  channel,
  onItem() {
    document.getElementById("problem").hidden = true;
    if (document.hidden) unseen += 1;
    showCount();
  },
  onProblem(problem) {
    const box = document.getElementById("problem");
    box.textContent = `${sentence(problem.message)} ${sentence(problem.cure)}`.trim();
    box.hidden = false;
  },
});

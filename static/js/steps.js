// Steps of a quick start, as pages have them: the elements "step-NAME" and "announcer".

/** Tick a step; `isNews` shows that it happened just now. Return whether it was open until now. */
export function markDone(step, { isNews }) {
  const box = document.getElementById(`step-${step}`);
  if ("done" in box.dataset) return false;
  box.dataset.done = "";
  box.querySelector("[data-step-state]").textContent = "(done)";
  if (isNews) box.dataset.fresh = "";
  return true;
}

/** Have words read aloud. */
export function announce(words) {
  document.getElementById("announcer").textContent = words;
}

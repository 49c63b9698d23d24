// The connection inspector: the list is asked for again while somebody looks at it and is not in the middle of it.

import { clock } from "./dom.js";

const EVERY_MS = 3000;

const list = document.getElementById("connection-list");
const renewed = document.getElementById("renewed");
const button = document.getElementById("renewing");
let isHeld = false;

/** Whether a new list would take something away from under somebody's fingers. */
function isInUse() {
  return list.contains(document.activeElement) || list.querySelector("details[open]") !== null;
}

async function renew() {
  if (isHeld || document.hidden || isInUse()) return;
  try {
    const answer = await fetch(list.dataset.renew, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(EVERY_MS) });
    if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
    const html = await answer.text();
    if (isHeld || isInUse()) return;
    list.innerHTML = html; // from our own server, which has escaped what is in it
    renewed.textContent = `As of ${clock(Date.now() / 1000)}`;
  } catch {
    renewed.textContent = "The server does not answer; still trying. Signed out? Reload the page.";
  }
}

button.addEventListener("click", () => {
  isHeld = !isHeld;
  button.setAttribute("aria-pressed", String(isHeld));
  button.textContent = isHeld ? "Go on" : "Hold still";
});

setInterval(renew, EVERY_MS);

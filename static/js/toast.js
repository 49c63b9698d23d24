// A word at the edge of the window, for a while: when a part of the page could not be loaded.

const TOAST_MS = 8000;
let timer;

export const NO_ANSWER = "The server does not answer. Nothing was changed; try again.";

export function toast(words) {
  const box = document.getElementById("toast");
  box.textContent = words;
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (box.hidden = true), TOAST_MS);
}

/** What to say of an answer with this status. */
export function wordsFor(status) {
  if (status === 403 || status === 404) return "This is no longer here, or you are no longer signed in. Reload the page.";
  return `The server could not do this (${status}). Nothing was changed; try again.`;
}

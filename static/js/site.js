// What every page has: copy buttons, menus that close, and a word when a part of the page could not be loaded.

import "./copy.js";

document.documentElement.classList.remove("no-script");

// On a phone the realm's tabs are one row that scrolls: it begins where the open page is and follows the keyboard.
// It does not move under a finger, or the tap would miss.
const tabs = document.querySelector(".realmbar-tabs");

function centre(tab) {
  tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2;
}

if (tabs) {
  const open = tabs.querySelector('[aria-current="page"]');
  if (open) centre(open);
  tabs.addEventListener("focusin", ({ target }) => target.matches(":focus-visible") && centre(target));
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}

document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details[data-menu][open]");
  closeMenus(null);
  menu?.querySelector("summary").focus();
});

const TOAST_MS = 8000;
let toastTimer;

function toast(words) {
  const box = document.getElementById("toast");
  box.textContent = words;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (box.hidden = true), TOAST_MS);
}

document.addEventListener("htmx:sendError", () => toast("The server does not answer. Nothing was changed; try again."));
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if ([409, 422, 429].includes(status)) return; // these come with their own words
  toast(
    status === 403 || status === 404
      ? "This is no longer here, or you are no longer signed in. Reload the page."
      : `The server could not do this (${status}). Nothing was changed; try again.`,
  );
});

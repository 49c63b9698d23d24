// What every page has: copy buttons, menus that close, and a word when a part of the page could not be loaded.

import "./copy.js";
import { NO_ANSWER, toast, wordsFor } from "./toast.js";

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

document.addEventListener("htmx:sendError", () => toast(NO_ANSWER));
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (![409, 422, 429].includes(status)) toast(wordsFor(status)); // those come with their own words
});

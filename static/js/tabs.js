// The tabs pattern of WAI-ARIA: arrow keys move, Home and End jump, one tab stop. The choice is remembered.

const MEMORY = "language";

function remembered() {
  try {
    return localStorage.getItem(MEMORY);
  } catch {
    return null; // storage may be switched off
  }
}

function remember(id) {
  try {
    localStorage.setItem(MEMORY, id);
  } catch {
    // as above
  }
}

export function setUpTabs(root) {
  const list = root.querySelector("[role=tablist]");
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function choose(chosen) {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      panelOf(tab).hidden = !isChosen;
    }
  }

  for (const tab of tabs) {
    const panel = panelOf(tab);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => {
      choose(tab);
      remember(tab.id);
    });
  }
  list.addEventListener("keydown", (event) => {
    const here = tabs.indexOf(document.activeElement);
    const last = tabs.length - 1;
    const to = { ArrowRight: here === last ? 0 : here + 1, ArrowLeft: here === 0 ? last : here - 1, Home: 0, End: last }[
      event.key
    ];
    if (to === undefined || here < 0) return;
    event.preventDefault();
    tabs[to].focus();
    tabs[to].click();
  });
  list.hidden = false;
  choose(tabs.find((tab) => tab.id === remembered()) ?? tabs[0]);
}

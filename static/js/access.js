// The page about tokens: one tab for each language.

import { setUpTabs } from "./tabs.js";

for (const tabs of document.querySelectorAll("[data-tabs]")) setUpTabs(tabs);

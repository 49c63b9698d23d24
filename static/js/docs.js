// Documents: a copy button at each block of code, and a list of documents that is folded on small screens.

import { make } from "./dom.js";

/** What is copied: commands without their `$ ` and without what they print, where a block shows both. */
function copied(text) {
  const lines = text.split("\n");
  if (!lines.some((line) => line.startsWith("$ "))) return text;
  const commands = [];
  let isGoingOn = false;
  for (const line of lines) {
    if (line.startsWith("$ ")) commands.push(line.slice(2));
    else if (isGoingOn) commands.push(line);
    isGoingOn = (line.startsWith("$ ") || isGoingOn) && line.endsWith("\\");
  }
  return `${commands.join("\n")}\n`;
}

for (const block of document.querySelectorAll(".prose-code")) {
  const text = copied(block.querySelector("pre").textContent);
  const button = make("button", { class: "copy prose-copy", type: "button", data: { copy: text } }, make("span", { class: "only-read-aloud", text: "Copy" }));
  block.append(button);
}

const fold = document.querySelector("[data-fold]");
if (fold && window.matchMedia("(max-width: 60rem)").matches) fold.open = false;

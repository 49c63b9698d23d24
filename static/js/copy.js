// Copy buttons: any button with `data-copy`, also those that come into the page later.

const SHOWN_MS = 1600;

async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Plain http on another host than localhost: the clipboard is only reached through a selection.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "only-read-aloud";
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("the browser does not let this page copy");
}

function say(button, words) {
  const label = button.querySelector("span");
  const before = (button.dataset.words ??= label.textContent);
  label.textContent = words;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = String(
    setTimeout(() => {
      label.textContent = before;
      delete button.dataset.state;
    }, SHOWN_MS),
  );
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await copyText(button.dataset.copy);
    button.dataset.state = "copied";
    say(button, "Copied");
  } catch {
    say(button, "Select the text and copy it");
  }
});

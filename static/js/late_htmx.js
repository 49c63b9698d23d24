// htmx where a page needs it for its forms only: half of the first page's bytes, so it comes when the rest is there.

let loading;

async function load(address) {
  // Before that, htmx would wait for an event that has been.
  if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done, { once: true }));
  const script = document.createElement("script");
  script.src = address;
  await new Promise((done) => {
    script.onload = script.onerror = done;
    document.head.append(script);
  });
}

/** Load htmx from `address`, once. Forms work without it, too: then their answer is a whole page. */
export function loadHtmx(address) {
  return (loading ??= load(address));
}

/** Hold whatever is sent before htmx is there, and send it then. */
export function sendByHtmx(address) {
  document.addEventListener(
    "submit",
    async (event) => {
      const form = event.target;
      if (window.htmx || !form.matches("[hx-post]")) return;
      event.preventDefault();
      await loadHtmx(address);
      if (window.htmx) form.requestSubmit(event.submitter);
      else form.submit();
    },
    { capture: true },
  );
}

// "Why?": times in the reader's own zone, and what only a browser can find out about the way to the realm's site.

import { clock, make } from "./dom.js";

for (const time of document.querySelectorAll("time[data-local]")) {
  time.textContent = clock(Date.parse(time.dateTime) / 1000);
  time.title = time.dateTime;
}

const STREAM_MS = 4000;
const button = document.getElementById("check");
const list = document.getElementById("checks");

function tell(code, outcome, words) {
  list.append(make("li", { class: "why-check", text: words, data: { code, outcome } }));
}

function checkScheme(site) {
  if (location.protocol === "https:" && site.protocol === "http:") {
    tell("mixed_content", "failed", "This page is HTTPS and the realm's address is http://: browsers block that. Use the https:// address.");
    return false;
  }
  tell("mixed_content", "passed", `The page (${location.protocol}//) may connect to ${site.protocol}//.`);
  return true;
}

/** A stream says something at once; one that does not is held back on the way. */
async function checkStream(url) {
  const began = performance.now();
  const stopper = new AbortController();
  const timer = setTimeout(() => stopper.abort(), STREAM_MS);
  try {
    const answer = await fetch(url, { signal: stopper.signal, cache: "no-store" });
    if (!answer.ok) {
      tell("stream", "failed", `The stream was refused (${answer.status}): ${(await answer.text()).slice(0, 300)}`);
      return;
    }
    await answer.body.getReader().read();
    const took = Math.round(performance.now() - began);
    tell("buffering_proxy", "passed", `The first bytes of a stream were here after ${took} ms: nothing holds it back on the way.`);
  } catch (error) {
    if (stopper.signal.aborted) {
      tell("buffering_proxy", "failed", `No byte of a stream came within ${STREAM_MS / 1000} s: a proxy in between buffers it. Turn buffering off there (nginx: proxy_buffering off).`);
    } else {
      tell("cors_origin", "failed", `The browser did not let the request through (${error.message}): look for “CORS” or “mixed content” in its console.`);
    }
  } finally {
    clearTimeout(timer);
    stopper.abort();
  }
}

function checkWebSocket(url) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    const timer = setTimeout(() => socket.close(), STREAM_MS);
    let isOpen = false;
    socket.addEventListener("open", () => {
      isOpen = true;
      tell("blocked_websocket", "passed", "A WebSocket opens.");
      socket.close();
    });
    socket.addEventListener("close", () => {
      clearTimeout(timer);
      if (!isOpen) tell("blocked_websocket", "failed", "A WebSocket does not open: a proxy or firewall in between may not pass Upgrade on. SSE or long-polling may work.");
      resolve();
    });
  });
}

button.addEventListener("click", async () => {
  button.disabled = true;
  list.replaceChildren();
  const site = new URL(button.dataset.site, location.href);
  const channel = encodeURIComponent(button.dataset.channel);
  if (checkScheme(site)) {
    await checkStream(`${site.href}/fanout/stream?channel=${channel}`);
    await checkWebSocket(`${site.href.replace(/^http/, "ws")}/fanout/ws?channel=${channel}`);
  }
  button.disabled = false;
});

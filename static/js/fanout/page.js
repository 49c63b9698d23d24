// The page's life: hidden, frozen, taken out of the cache of visited pages, off-line. Nothing where there is no page.

/** Have `client` follow the page it is in. */
export function watchPage(client) {
  const { document, addEventListener } = globalThis;
  const { pauseAfter, persist } = client._options;
  const key = "fanout:positions:" + client.site;
  if (persist) recallPositions(client, key);
  addEventListener?.("online", () => client._check());
  addEventListener?.("offline", () => client._check());
  if (!document) return;
  let timer;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) client._check();
    else if (pauseAfter) timer = setTimeout(() => client._pause(), pauseAfter);
  });
  // A page with an open connection is not kept for going back to.
  addEventListener("pagehide", () => {
    if (persist) sessionStorage.setItem(key, JSON.stringify([...client.positions]));
    client._pause();
  });
  document.addEventListener("freeze", () => client._pause());
  for (const [target, name] of [[document, "resume"], [globalThis, "pageshow"]])
    target.addEventListener(name, () => client.state === "paused" && client._resume());
}

function recallPositions(client, key) {
  try {
    for (const [name, position] of JSON.parse(sessionStorage.getItem(key)) ?? [])
      if (!client.positions.has(name)) client.positions.set(name, position);
  } catch {
    // nothing kept, or no storage
  }
}

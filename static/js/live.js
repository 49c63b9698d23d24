// What the server saw of a realm, as it happens: the feed behind the quick start and the console.

import { showState } from "./dom.js";
import { ReturningSocket, socketAddress } from "./socket.js";

const QUIET_MS = 50_000; // the server speaks at least every 20 s

/** Connect to the feed of `realm`; show its state in `pill`; call `onEvent` with each event. */
export function watchRealm(realm, { pill, onEvent }) {
  const socket = new ReturningSocket({
    address: () => socketAddress(`/live/${realm}/`),
    quietMs: QUIET_MS,
    onMessage: (event) => event.kind === "keep-alive" || onEvent(event),
    onState: (state, delayMs) => {
      if (state === "over") showState(pill, "down", "No longer here; reload the page");
      else if (state === "live") showState(pill, "live", "Live");
      else if (state === "down" && socket.failures > 1) {
        const words = socket.failures > 4 ? "No connection to the server; still trying" : "Connection lost; coming back";
        showState(pill, "down", words);
        pill.title = `Next try in ${Math.ceil(delayMs / 1000)} s. Signed out? Reload the page.`;
      } else if (state === "down") showState(pill, "waiting", "Reconnecting");
    },
  });
  socket.connect();
  return socket;
}

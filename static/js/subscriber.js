// A subscriber of one channel over the native WebSocket. It remembers its position, so nothing is lost or repeated
// when the connection is. Wire format: docs/api/subscribe.md.

import { ReturningSocket, socketAddress } from "./socket.js";

const QUIET_MS = 65_000; // the server sends keep-alives every 25 s by default

/**
 * onItem gets each item; onReset is told when items in between are lost for good; onState as in ReturningSocket;
 * onProblem gets what the server says is wrong.
 */
export function subscribe({ realm, channel, onItem, onReset, onState, onProblem }) {
  let position = null;
  const socket = new ReturningSocket({
    quietMs: QUIET_MS,
    onState,
    address() {
      const query = new URLSearchParams({ channel });
      if (position) query.set("since", position);
      return socketAddress(`/r/${realm}/fanout/ws?${query}`);
    },
    onMessage(message) {
      if (message.type === "item") {
        if (message.position === position) return;
        position = message.position;
        onItem(message);
      } else if (message.type === "subscribed") {
        position ??= message.position;
      } else if (message.type === "reset") {
        position = message.position;
        onReset(message);
      } else if (message.type === "error") {
        onProblem(message);
      }
    },
  });
  socket.connect();
  return socket;
}

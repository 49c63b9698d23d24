// 2,000 clients of fanout.js that lose the same server at once: when does each try again? Prints the times, in ms.
//
//     node tests/browser_library/storm.mjs SITE CLIENTS
//
// Time is the test's: no client waits in earnest, and no server is needed. What is counted are requests as they go out.

const [site, clients] = [process.argv[2], Number(process.argv[3])];
const { Fanout } = await import("../../static/js/fanout/fanout.js");

let now = 0;
let count = 0;
const timers = new Map();
globalThis.setTimeout = (action, ms = 0) => {
  timers.set(++count, [now + ms, action]);
  return count;
};
globalThis.setInterval = () => 0;
globalThis.clearTimeout = (timer) => timers.delete(timer);
globalThis.clearInterval = () => {};
Date.now = () => now;

const [LOST_AT, BACK_AT, END] = [60_000, 64_000, 120_000];
const tries = [];
const encoder = new TextEncoder();
const streams = new Set();
const line = (message) => encoder.encode(JSON.stringify(message) + "\n");
globalThis.fetch = async (address) => {
  if (now >= LOST_AT) tries.push(Math.round(now));
  if (now >= LOST_AT && now < BACK_AT) throw new TypeError("connection refused");
  let stream;
  const body = new ReadableStream({ start: (controller) => (stream = controller) });
  stream.enqueue(line({ type: "welcome", realm: "x", keep_alive_s: 1e9 }));
  stream.enqueue(line({ type: "subscribed", channel: "a", position: "abcdefgh:0" }));
  streams.add(stream);
  return new Response(body);
};

const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
let connected = 0;
for (let number = 0; number < clients; number++) {
  const client = new Fanout(site, { transports: ["stream"] });
  client.on("state", ({ state, previous }) => {
    if (state === "connected") connected += 1;
    else if (previous === "connected") connected -= 1;
  });
  client.channel("a").subscribe(() => {});
}
let isLost = false;
while (now < END) {
  await settle();
  const next = Math.min(END, ...[...timers.values()].map(([at]) => at));
  const until = isLost ? Math.max(next, now + 5) : Math.min(Math.max(next, now + 5), LOST_AT);
  now = until;
  if (!isLost && now >= LOST_AT) {
    isLost = true;
    for (const stream of streams) stream.error(new TypeError("connection reset"));
    streams.clear();
  }
  for (const [timer, [at, action]] of [...timers])
    if (at <= now) {
      timers.delete(timer);
      action();
    }
}
await settle();
console.log(JSON.stringify({ tries, connected, lostAt: LOST_AT, backAt: BACK_AT }));
process.exit(0);

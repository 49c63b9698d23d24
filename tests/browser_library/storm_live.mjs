// 2,000 clients of fanout.js in one Node.js process lose a real server: when does each come back?
//
//     node tests/browser_library/storm_live.mjs SITE CLIENTS
//
// Says "connected" when all are. Told "end" on standard input, prints JSON: for each client when it asked again and when
// it was connected again, in ms since the loss; both are counted where requests go out and come back, in earnest.

const [site, clients] = [process.argv[2], Number(process.argv[3])];
const { Fanout } = await import("../../static/js/fanout/fanout.js");

let lostAt;
let connected = 0;
const tries = [];
const returns = [];
const fetchInEarnest = globalThis.fetch;
globalThis.fetch = (...words) => {
  if (lostAt) tries.push(Math.round(performance.now() - lostAt));
  return fetchInEarnest(...words);
};
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

for (let number = 0; number < clients; number++) {
  const client = new Fanout(site, { transports: ["stream"], connectTimeout: 60_000, readyTimeout: 60_000 });
  client.on("state", ({ state, previous }) => {
    if (state === "connected") {
      connected += 1;
      if (lostAt) returns.push(Math.round(performance.now() - lostAt));
      if (connected === clients) say("connected");
    } else if (previous === "connected") {
      connected -= 1;
      lostAt ??= performance.now();
    }
  });
  client.channel("storm").subscribe(() => {});
  if (number % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 100));
}
for await (const _ of process.stdin) break;
say({ tries, returns, connected });
process.exit(0);

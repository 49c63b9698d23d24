// An Express application with @fanoutio/serve-grip. Run as `GRIP_URL=… node express_grip.mjs PORT`.
import { HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat } from "@fanoutio/grip";
import { ServeGrip } from "@fanoutio/serve-grip";
import express from "express";

const PAGE = `<!doctype html><title>express</title><script type="module">
window.got = [];
new EventSource("/stream/page").onmessage = (event) => got.push("stream " + event.data);
const socket = new WebSocket("ws://" + location.host + "/socket/page");
socket.onmessage = (event) => got.push("socket " + event.data);
socket.onopen = () => socket.send("hello");
got.push("poll " + await (await fetch("/poll/page")).text());
</script>`;

// It checks signatures only with a key that is named for that; ours signs with the key that publishes.
const url = new URL(process.env.GRIP_URL);
url.searchParams.set("verify-iss", url.searchParams.get("iss"));
url.searchParams.set("verify-key", url.searchParams.get("key"));

const serveGrip = new ServeGrip({ grip: url.href });
const app = express();
app.use(serveGrip);

// `request.grip.isSigned` of serve-grip 2.0.0 is true for any signature: it does not wait for the check, which is async.
const proxied = async (request, response, next) => {
  const { isSigned } = await serveGrip.getPublisher().validateGripSig(request.get("Grip-Sig"));
  return isSigned ? next() : response.status(501).send("come through the edge\n");
};

app.get("/", (request, response) => response.type("html").send(PAGE));

app.get("/poll/:channel", proxied, (request, response) => {
  const instruct = response.grip.startInstruct();
  instruct.addChannel(request.params.channel);
  instruct.setHoldLongPoll(30);
  response.type("text/plain").send("nothing new\n");
});

app.get("/stream/:channel", proxied, (request, response) => {
  const instruct = response.grip.startInstruct();
  instruct.addChannel(request.params.channel);
  instruct.setHoldStream();
  instruct.setKeepAlive("event: keep-alive\ndata:\n\n", 20);
  response.type("text/event-stream").send("data: open\n\n");
});

app.post("/socket/:channel", proxied, (request, response) => {
  const { wsContext } = request.grip;
  if (wsContext == null) {
    response.status(400).send("not a WebSocket\n");
    return;
  }
  if (wsContext.isOpening()) {
    wsContext.accept();
    wsContext.subscribe(request.params.channel);
  }
  while (wsContext.canRecv()) {
    const message = wsContext.recv();
    if (message == null) {
      wsContext.close();
      break;
    }
    wsContext.send(message);
  }
  response.end();
});

app.post("/publish/:channel", express.text({ type: () => true }), async (request, response) => {
  const text = request.body;
  await serveGrip.getPublisher().publishFormats(request.params.channel, [
    new HttpResponseFormat({ body: text }),
    new HttpStreamFormat(`data: ${text}\n\n`),
    new WebSocketMessageFormat(text),
  ]);
  response.send("published\n");
});

app.listen(Number(process.argv[2]), "127.0.0.1");

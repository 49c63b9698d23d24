// An Express application with @fanoutio/eventstream. Run as `GRIP_URL=… node express_eventstream.mjs PORT`.
import { EventStream } from "@fanoutio/eventstream";
import express from "express";

const PAGE = `<!doctype html><title>eventstream</title><script type="module">
window.got = [];
window.source = new EventSource("/events/page");
source.onmessage = (event) => got.push(JSON.parse(event.data));
</script>`;

const eventStream = new EventStream({ grip: process.env.GRIP_URL });
const app = express();

app.get("/", (request, response) => response.type("html").send(PAGE));
app.get("/events/:id", eventStream("{id}"));
app.post("/send/:id", express.json({ type: () => true }), async (request, response) => {
  await eventStream.publishEvent(request.params.id, { event: "message", data: request.body });
  response.send("sent\n");
});

app.listen(Number(process.argv[2]), "127.0.0.1");

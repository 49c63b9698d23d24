"""An application without a framework: gripcontrol makes its instructions, pubcontrol publishes.

Run as `GRIP_URL=… python plain_wsgi.py PORT`.
"""

import os
import sys
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from gripcontrol import (
    Channel,
    GripPubControl,
    HttpResponseFormat,
    HttpStreamFormat,
    Response,
    WebSocketEvent,
    WebSocketMessageFormat,
    create_grip_channel_header,
    create_hold_response,
    decode_websocket_events,
    encode_websocket_events,
    parse_grip_uri,
    validate_sig,
    websocket_control_message,
)
from pubcontrol import Item

GRIP = parse_grip_uri(os.environ["GRIP_URL"])
PUBLISHER = GripPubControl(GRIP)

Reply = tuple[str, list[tuple[str, str]], bytes]

PAGE = b"""<!doctype html><title>plain</title><script type="module">
window.got = [];
new EventSource("/stream?channel=page").onmessage = (event) => got.push("stream " + event.data);
const socket = new WebSocket(`ws://${location.host}/socket?channel=page`);
socket.onmessage = (event) => got.push("socket " + event.data);
socket.onopen = () => socket.send("hello");
got.push("poll " + await (await fetch("/poll?channel=page")).text());
</script>"""


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request; whoever did not come through the edge is told so."""
    channel = parse_qs(environ["QUERY_STRING"]).get("channel", ["test"])[0]
    path = environ["PATH_INFO"]
    if path == "/publish":
        status, headers, body = publish(environ, channel)
    elif not validate_sig(environ.get("HTTP_GRIP_SIG", ""), GRIP["key"], iss=GRIP["control_iss"]):
        status, headers, body = "501 Not Implemented", [], b"come through the edge\n"
    else:
        status, headers, body = PAGES.get(path, missing)(environ, channel)
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]


def page(environ: dict[str, Any], channel: str) -> Reply:
    return "200 OK", [("Content-Type", "text/html")], PAGE


def poll(environ: dict[str, Any], channel: str) -> Reply:
    """Hold by a JSON document."""
    response = Response(headers={"Content-Type": "text/plain"}, body="nothing new\n")
    document = create_hold_response(Channel(channel), response, timeout=30)
    return "200 OK", [("Content-Type", "application/grip-instruct")], document.encode()


def stream(environ: dict[str, Any], channel: str) -> Reply:
    """Hold by headers."""
    headers = [
        ("Content-Type", "text/event-stream"),
        ("Grip-Hold", "stream"),
        ("Grip-Channel", create_grip_channel_header(Channel(channel))),
        ("Grip-Keep-Alive", "event: keep-alive\\ndata:\\n\\n; format=cstring; timeout=20"),
    ]
    return "200 OK", headers, b"data: open\n\n"


def socket(environ: dict[str, Any], channel: str) -> Reply:
    """Speak WebSocket-over-HTTP: subscribe, and say everything back."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answers = []
    for event in decode_websocket_events(body):
        if event.type == "OPEN":
            subscribe = websocket_control_message("subscribe", {"channel": channel})
            answers += [WebSocketEvent("OPEN"), WebSocketEvent("TEXT", "c:" + subscribe)]
        elif event.type == "TEXT":
            answers.append(WebSocketEvent("TEXT", b"m:" + event.content))
        elif event.type == "CLOSE":
            answers.append(event)
    headers = [("Content-Type", "application/websocket-events"), ("Sec-WebSocket-Extensions", "grip")]
    return "200 OK", headers, encode_websocket_events(answers)


def publish(environ: dict[str, Any], channel: str) -> Reply:
    text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    formats = [HttpResponseFormat(body=text), HttpStreamFormat(f"data: {text}\n\n"), WebSocketMessageFormat(text)]
    PUBLISHER.publish(channel, Item(formats), blocking=True)
    return "200 OK", [], b"published\n"


def missing(environ: dict[str, Any], channel: str) -> Reply:
    return "404 Not Found", [], b"nothing here\n"


PAGES = {"/": page, "/poll": poll, "/stream": stream, "/socket": socket}


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Tell nothing."""


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]), application, Server, Quiet) as server:
        server.serve_forever()

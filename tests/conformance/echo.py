"""An application that sends each WebSocket message back as it came, on the edge's own protocol class.

`python -m tests.conformance.echo PORT` serves it until it is ended.
"""

import sys

from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send, Sink
from fanoutcloud.edge.encoding.compression import accepts_compression, deflated_frame
from fanoutcloud.edge.encoding.frames import OP_BINARY, websocket_frame
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.server import EdgeServer, configure
from fanoutcloud.edge.site.sites import SiteNames

#: Where the echo is: any realm's site will do.
PATH = "/r/0ec40ec4/fanout/ws"
#: Autobahn's largest messages, in group 9.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class Echo:
    """Owns one connection; remembers what was told of it."""

    def __init__(self, *, compresses: bool) -> None:
        self.sink: Sink
        self._frame = deflated_frame if compresses else websocket_frame
        self.violations: list[tuple[int, str]] = []
        self.losses = 0

    def on_text(self, text: str) -> None:
        self.sink.write(self._frame(text.encode()))

    def on_bytes(self, data: bytes) -> None:
        self.sink.write(self._frame(data, OP_BINARY))

    def on_overflow(self) -> None:
        self.sink.close(1008, "read what you asked for")

    def on_violation(self, code: int, reason: str) -> None:
        self.violations.append((code, reason))

    def on_lost(self) -> None:
        self.losses += 1


class EchoApp:
    """The ASGI application; `owners` are all connections that there have been."""

    def __init__(self) -> None:
        self.owners: list[Echo] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
        elif scope["type"] == "websocket":
            offer, compresses = scope["extensions"][EXTENSION], accepts_compression(scope["headers"])
            owner = Echo(compresses=compresses)
            if (held := (offer.hold_deflated if compresses else offer.hold)(owner)) is not None:
                owner.sink = held
                self.owners.append(owner)


def main() -> None:
    """Serve until SIGTERM."""
    limits = EdgeLimits(max_message_bytes=MAX_MESSAGE_BYTES, outbox_bytes=4 * MAX_MESSAGE_BYTES)
    port = int(sys.argv[1])
    config = configure(EchoApp(), host="127.0.0.1", port=port, sites=SiteNames(OwnHosts("localhost")), limits=limits)
    EdgeServer(config, on_ready=lambda: print("ready: echo", flush=True)).run()


if __name__ == "__main__":
    main()

"""The origin behind the measured Pushpin: holds every stream and every WebSocket on the channel `g`.

Run as `python pushpin_origin.py PORT`. Speaks just enough HTTP for zurl: one request at a time per connection.
"""

import asyncio
import sys

STREAM = b"data: held\n\n"
STREAM_HEAD = "Content-Type: text/event-stream\r\nGrip-Hold: stream\r\nGrip-Channel: g\r\n"
SUBSCRIBE = b'c:{"type":"subscribe","channel":"g"}'
# WebSocket-over-HTTP: accepted, subscribed, and a first message that says so.
EVENTS = b"OPEN\r\nTEXT %x\r\n%b\r\nTEXT 6\r\nm:held\r\n" % (len(SUBSCRIBE), SUBSCRIBE)
EVENTS_HEAD = "Content-Type: application/websocket-events\r\nSec-WebSocket-Extensions: grip\r\n"


class Origin(asyncio.Protocol):
    """One connection of zurl."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing read."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request once it is whole."""
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, rest = self._read.split(b"\r\n\r\n", 1)
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            if len(rest) < length:
                return
            body, self._read = rest[:length], rest[length:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if b"application/websocket-events" not in head:
            lines, content = STREAM_HEAD, STREAM
        else:
            lines, content = EVENTS_HEAD, EVENTS if body.startswith(b"OPEN") else b""
        self._transport.write(f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content)


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

"""WebSockets on servers without prepared sinks: frames through ASGI `send`, messages through `receive`."""

import asyncio
from typing import Protocol

from fanoutcloud.edge.connections.sinks import PlainSink, Receive, Send, send_last
from fanoutcloud.edge.limits import EdgeLimits


class TextOwner(Protocol):
    """Who hears what a client says on a WebSocket of a server without prepared sinks."""

    def on_text(self, text: str) -> None: ...

    def on_bytes(self, data: bytes) -> None: ...

    def on_lost(self) -> None: ...


async def run_plain(
    sink: PlainSink,
    receive: Receive,
    send: Send,
    subscriber: TextOwner,
    beginning: "asyncio._CoroutineLike[None]",
    *,
    limits: EdgeLimits,
) -> None:
    """Run a WebSocket on a server without prepared sinks, until it ends."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})

    async def send_frame(frame: bytes) -> None:
        await send({"type": "websocket.send", "text": frame.decode()})

    try:
        async with asyncio.TaskGroup() as tasks:
            begin = tasks.create_task(beginning)
            reader = tasks.create_task(_read_plain(receive, sink, subscriber))
            code, reason = await sink.pump(send_frame)
            begin.cancel()
            reader.cancel()
        if reader.cancelled():  # else the client has closed already
            await send_last(send, {"type": "websocket.close", "code": code, "reason": reason}, limits)
    finally:
        subscriber.on_lost()


async def _read_plain(receive: Receive, sink: PlainSink, subscriber: TextOwner) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            subscriber.on_bytes(message["bytes"])
        else:
            subscriber.on_text(text)
    sink.close(1000, "")
    subscriber.on_lost()

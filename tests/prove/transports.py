"""The four transports from the client's side: each connects, feeds a subscriber, and returns or fails at the end."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect

from tests.prove.log import read_place
from tests.prove.subscribers import Follow, Rejected, Subscriber
from tests.prove.wire import Answer, Broken, HttpConnection, read_json

Message = dict[str, Any]

OPEN_TIMEOUT_S = 3.0
MAX_POLL_S = 4


def path_of(subscriber: Subscriber, transport: str, *, cursor: str | None, more: str = "") -> str:
    """Return the path and query for all channels of the subscriber."""
    channels = "&".join(f"channel={quote(channel)}" for channel in subscriber.channels)
    since = f"&since={quote(cursor)}" if cursor else ""
    return f"/r/{subscriber.realm}/fanout/{transport}?{channels}{since}{more}"


async def follow_websocket(subscriber: Subscriber, port: int) -> None:
    """Subscribe in the URL, or by commands where the positions of some channels are not known or by chance."""
    cursor = subscriber.cursor
    by_commands = (cursor is None and bool(subscriber.positions)) or subscriber.rng.random() < 0.5
    path = path_of(subscriber, "ws", cursor=cursor).partition("?")[0] if by_commands else None
    uri = f"ws://127.0.0.1:{port}{path or path_of(subscriber, 'ws', cursor=cursor)}"
    async with connect(
        uri,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=0.1,
        ping_interval=None,
        compression=None,
        max_size=None,
        proxy=None,
    ) as connection:
        try:
            if by_commands:
                await _send_subscribes(subscriber, connection)
            subscriber.begin()
            async for text in connection:
                subscriber.take(read_json(text))
        finally:
            connection.transport.abort()
        if connection.close_code is not None and 3000 <= connection.close_code < 4000:
            raise Rejected(f"closed with {connection.close_code} {connection.close_reason}")


async def _send_subscribes(subscriber: Subscriber, connection: ClientConnection) -> None:
    for channel in subscriber.rng.sample(list(subscriber.channels), len(subscriber.channels)):
        command = {"type": "subscribe", "channel": channel}
        if channel in subscriber.positions:
            command["since"] = str(subscriber.positions[channel])
        await connection.send(json.dumps(command))


async def follow_sse(subscriber: Subscriber, port: int) -> None:
    """Read events as a browser does; half of the time the cursor goes where a browser puts it when it comes back."""
    cursor = subscriber.cursor
    is_header = cursor is not None and subscriber.rng.random() < 0.5
    headers = {"Last-Event-ID": cursor or ""} if is_header else {}
    connection = await HttpConnection.connect(port)
    try:
        path = path_of(subscriber, "sse", cursor=None if is_header else cursor)
        await _expect_stream(connection, await connection.request("GET", path, headers=headers))
        subscriber.begin()
        fields: dict[str, str] = {}
        async for line in connection.lines():
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            if "data" in fields:
                subscriber.take(read_json(fields["data"]))
            if "id" in fields:
                subscriber.take_cursor(fields["id"])
            fields = {}
    finally:
        connection.abort()


async def follow_stream(subscriber: Subscriber, port: int) -> None:
    """Read JSON lines."""
    connection = await HttpConnection.connect(port)
    try:
        answer = await connection.request("GET", path_of(subscriber, "stream", cursor=subscriber.cursor))
        await _expect_stream(connection, answer)
        subscriber.begin()
        async for line in connection.lines():
            subscriber.take(read_json(line))
    finally:
        connection.abort()


async def follow_poll(subscriber: Subscriber, port: int) -> None:
    """Ask, and ask again with the cursor, on one connection."""
    connection = await HttpConnection.connect(port)
    subscriber.begin()
    try:
        while True:
            timeout_s = subscriber.rng.randint(0, MAX_POLL_S) if subscriber.cursor else 0
            path = path_of(subscriber, "poll", cursor=subscriber.cursor, more=f"&timeout={timeout_s}")
            answer = await connection.request("GET", path)
            body = await connection.read_body(answer)
            if answer.status != 200:
                raise _to_error(answer, body)
            said = read_json(body)
            for message in in_order(said["items"], said.get("resets", [])):
                subscriber.take(message)
            subscriber.take_cursor(said["cursor"])
    finally:
        connection.abort()


def in_order(items: Sequence[Message], resets: Sequence[Message]) -> Iterator[Message]:
    """Yield what a poll's answer holds as other transports tell it: items behind a reset are of its epoch."""
    reset_of = {reset["channel"]: reset for reset in resets}
    for item in items:
        reset = reset_of.get(item["channel"])
        if reset is not None and _is_behind(item, reset):
            yield reset_of.pop(item["channel"])
        yield item
    yield from reset_of.values()


def _is_behind(item: Message, reset: Message) -> bool:
    at, start = read_place(item["position"]), read_place(reset["position"])
    return at.epoch == start.epoch and at.offset > start.offset


async def _expect_stream(connection: HttpConnection, answer: Answer) -> None:
    if answer.status != 200:
        raise _to_error(answer, await connection.read_body(answer))


def _to_error(answer: Answer, body: bytes) -> Exception:
    said = f"{answer.status} {body[:200].decode(errors='replace').strip()}"
    return Broken(said) if answer.status == 429 or answer.status >= 500 else Rejected(said)


TRANSPORTS: dict[str, Follow] = {
    "websocket": follow_websocket,
    "sse": follow_sse,
    "stream": follow_stream,
    "poll": follow_poll,
}

"""SIGTERM: every subscriber is told to come back elsewhere, and the process ends well, soon."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contracts.transports import (
    Message,
    PollReader,
    Reader,
    SiteUnderTest,
    SseReader,
    StreamReader,
    WebSocketReader,
)
from tests.flows.sockets import bare_socket, get, upgrade
from tests.servers.product import Product

#: A WebSocket client has 2 s for its own close, and threads and timers their moment.
SOON_S = 10.0


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Product]:
    """A product of this test's own, which it may end."""
    product = Product(tmp_path)
    try:
        product.start()
        yield product
    finally:
        product.kill()


async def _read_to_end(subscriber: Reader) -> list[Message]:
    messages = [await subscriber.next()]
    while messages[-1]["type"] != "end":
        messages.append(await subscriber.next())
    return messages


async def test_sigterm_tells_every_subscriber_and_ends_with_status_0(doomed: Product) -> None:
    async with httpx.AsyncClient(verify=False, timeout=20, trust_env=False) as client:
        site = SiteUnderTest(doomed, await asyncio.to_thread(doomed.create_realm), client)
        subscribers = [kind(site, "hello") for kind in (WebSocketReader, SseReader, StreamReader)]
        poller = PollReader(site, "hello")
        for subscriber in [*subscribers, poller]:
            await subscriber.__aenter__()
            await subscriber.ready()
        polling = asyncio.create_task(poller.poll("&timeout=50"))
        endings = [asyncio.create_task(_read_to_end(subscriber)) for subscriber in subscribers]
        async with bare_socket(doomed.port) as rude_socket, bare_socket(doomed.port) as rude_stream:
            # Neither of the two reads or answers: they must not hold up the end.
            await rude_socket.send(upgrade(f"{site.path}/fanout/ws?channel=hello"))
            await rude_stream.send(get(f"{site.path}/fanout/stream?channel=hello"))
            await rude_socket.read_until(b"subscribed")
            await rude_stream.read_until(b"subscribed")

            began_at = time.monotonic()
            await asyncio.to_thread(doomed.stop)  # fails unless the status is 0
            took_s = time.monotonic() - began_at

            websocket, sse, stream = [await ending for ending in endings]
            cursor = (await polling)["cursor"]
        for subscriber in [*subscribers, poller]:
            await subscriber.__aexit__(None, None, None)

    assert websocket == [{"type": "end", "code": 4012, "reason": "draining"}]
    for closing, end in (sse, stream):
        assert (closing["type"], closing["reason"], closing["reconnect"]) == ("closing", "draining", True)
        assert end["type"] == "end"
    assert cursor.endswith(":0")
    assert took_s < SOON_S
    assert "Traceback" not in doomed.log.read_text()

"""A tenant with thousands of XMPP subscribers beside one with WebSockets: each gets its own, once."""

import asyncio
import contextlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.load.crowd import Crowd, Round, connected, next_round
from tests.load.fleet import UNLIMITED
from tests.load.server import Server
from tests.load.xmpp import publish_items
from tests.load.xmpp_clients import Door, subscribe_guests
from tests.servers.command import free_port
from tests.servers.product import Product

GUESTS = 2_000
WEBSOCKETS = 500
ROUNDS = 4
CHANNEL = "bench"
DOMAIN = "push.test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="the load generator stands on epoll"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator is compiled with cc"),
]


@dataclass(frozen=True, slots=True)
class Work:
    """What one tenant's publish came to: what its subscribers got, and the event loop's time for each delivery."""

    got: Round
    neighbours: Round
    cpu_us: float


async def publish_and_count(server: Server, crowd: Crowd, neighbours: Crowd) -> Work:
    before = server.loop_cpu_s()
    await publish_items(server, 1)
    (got,) = await next_round([crowd], crowd.subscribers)
    spent_s = server.loop_cpu_s() - before
    return Work(got, await neighbours.end_round(), 1e6 * spent_s / crowd.subscribers)


async def test_two_thousand_over_xmpp_and_another_tenants_websockets_get_their_own_once(tmp_path: Path) -> None:
    port = free_port()
    door = {"XMPP_PORT": str(port), "XMPP_DOMAIN": DOMAIN, "XMPP_REQUIRE_TLS": "false"}
    product = Product(tmp_path, environment={**UNLIMITED, **door})
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(product.kill)
        await asyncio.to_thread(product.start)
        realms = await asyncio.to_thread(product.create_realms, "alice@example.com", "charlie@example.com")
        alice, charlie = (Server(product.port, product.pid, realm.realm, realm.key) for realm in realms)
        guests = await subscribe_guests(Door(port, DOMAIN), f"/{alice.realm}/{CHANNEL}", GUESTS)
        for guest in guests:
            stack.callback(guest.close)
        numbers, request = tmp_path / "descriptors", tmp_path / "request"
        numbers.write_text("\n".join(str(guest.fileno()) for guest in guests))
        request.write_bytes(charlie.subscribe_request("websocket", CHANNEL))
        over_xmpp = Crowd(0, GUESTS, [guest.fileno() for guest in guests])
        sockets = Crowd(product.port, WEBSOCKETS)
        await stack.enter_async_context(connected([over_xmpp], numbers, ready="", marker="</event>"))
        await stack.enter_async_context(connected([sockets], request, ready="subscribed", marker="fanbench000000"))

        of_alice, of_charlie = [], []
        for _ in range(ROUNDS):
            of_alice.append(await publish_and_count(alice, over_xmpp, sockets))
            of_charlie.append(await publish_and_count(charlie, sockets, over_xmpp))

    for work in (*of_alice, *of_charlie):
        assert (work.got.least, work.got.most) == (1, 1)
        assert work.neighbours.items == 0
    assert over_xmpp.lost == sockets.lost == 0
    # The same way out for both: about as much work for each that is delivered, whatever the machine does beside it.
    assert median(work.cpu_us for work in of_alice) < 3 * median(work.cpu_us for work in of_charlie)

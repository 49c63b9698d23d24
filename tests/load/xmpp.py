"""What XMPP does per second: notifications to many clients at each door, and publishes by stanza.

Clients are guests without TLS that sign in here and are left to the crowd, which counts what comes in C, so that their
reading costs little beside it. Clients with TLS are read here; of them only the processor time of the server's event
loop is told.
"""

import asyncio
import base64
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import jwt

from fanoutcloud.xmpp_certificate import generate
from tests.load.crowd import Crowd, connected, next_round
from tests.load.fleet import UNLIMITED
from tests.load.generator import NotMeasured
from tests.load.scenarios import BURST, Figure, Options
from tests.load.server import Server, running_server
from tests.load.xmpp_clients import (
    PUBSUB,
    Door,
    SecureClient,
    guest_auth,
    open_secure,
    plain_auth,
    subscribe_guests,
)
from tests.servers.command import free_port
from tests.servers.prosody import Prosody, prosody_directory

DOMAIN = "push.test"
CHANNEL = "bench"
MAX_GUESTS = 2_000
MAX_GUESTS_OF_PROSODY = 500
MAX_SECURE = 100
IN_FLIGHT = 20
PATIENCE_S = 30.0
_MARKER = "</event>"


@dataclass(frozen=True, slots=True)
class Site:
    """A running installation with a door."""

    server: Server
    door: Door
    tls_port: int

    @property
    def node(self) -> str:
        return f"/{self.server.realm}/{CHANNEL}"


async def measure_xmpp(options: Options, folder: Path) -> list[Figure]:
    """Items by REST to guests, one by one and at once; then publishes by stanza: embedded, then behind Prosody."""
    figures = []
    for name, running, most, target in (
        ("embedded", _running_embedded, MAX_GUESTS, "≥ 60,000"),
        ("Prosody", _running_behind_prosody, MAX_GUESTS_OF_PROSODY, "≥ 6,000"),
    ):
        own = folder / name
        own.mkdir()
        async with running(own) as site:
            guests = min(most, options.subscribers)
            for items in (1, BURST):
                figures += await _measure_fan_out(
                    site, own, name, guests=guests, items=items, options=options, target=target
                )
            if name == "embedded":
                figures.append(await _measure_secure(site, options))
            figures.append(await _measure_publishes(site, name, options.seconds))
    return figures


@contextlib.asynccontextmanager
async def _running_embedded(folder: Path) -> AsyncIterator[Site]:
    port, tls_port = free_port(), free_port()
    settings = {"XMPP_PORT": str(port), "XMPP_TLS_PORT": str(tls_port), "XMPP_REQUIRE_TLS": "false"}
    async with _running_server(folder, free_port(), settings) as server:
        yield Site(server, Door(port, DOMAIN), tls_port)


@contextlib.asynccontextmanager
async def _running_behind_prosody(folder: Path) -> AsyncIterator[Site]:
    if shutil.which("prosody") is None:
        raise NotMeasured("There is no Prosody: apt-get install prosody")
    directory, port = prosody_directory(), free_port()
    prosody = Prosody(
        directory,
        domain=DOMAIN,
        certificate=generate(directory, DOMAIN),
        auth_url=f"http://127.0.0.1:{port}/xmpp/auth",
        requires_tls=False,
    )
    settings = {"XMPP_SERVER": f"127.0.0.1:{prosody.component_port}", "XMPP_SECRET": prosody.secret}
    try:
        await asyncio.to_thread(prosody.start)
        async with _running_server(folder, port, settings) as server:
            yield Site(server, Door(prosody.port, DOMAIN), prosody.tls_port)
    finally:
        prosody.kill()
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.asynccontextmanager
async def _running_server(folder: Path, port: int, settings: dict[str, str]) -> AsyncIterator[Server]:
    with contextlib.ExitStack() as stack:
        running = running_server(folder, port=port, XMPP_DOMAIN=DOMAIN, **UNLIMITED, **settings)
        yield await asyncio.to_thread(stack.enter_context, running)


# -- notifications


async def _measure_fan_out(
    site: Site, folder: Path, name: str, *, guests: int, items: int, options: Options, target: str
) -> list[Figure]:
    sockets = await subscribe_guests(site.door, site.node, guests)
    descriptors = [one.fileno() for one in sockets]
    numbers = folder / "descriptors"
    numbers.write_text("\n".join(map(str, descriptors)))
    crowd = Crowd(0, guests, descriptors)
    per_s, cpu_us, fault = [], [], ""
    try:
        async with connected([crowd], numbers, ready="", marker=_MARKER):
            for _ in range(options.rounds):
                cpu_s, began_at = site.server.loop_cpu_s(), time.monotonic()
                await publish_items(site.server, items)
                (got,) = await next_round([crowd], guests * items)
                per_s.append(got.items / (got.last_at - began_at))
                cpu_us.append(1e6 * (site.server.loop_cpu_s() - cpu_s) / (guests * items))
                if (got.least, got.most) != (items, items):
                    fault = f"a client got {got.least} to {got.most} items instead of {items}"
    finally:
        for one in sockets:
            one.close()
    what = f"{name}: {_count(items)} to {guests:,} guests"
    return [
        Figure("xmpp", what, median(per_s), "notifications/s", target, fault),
        Figure("xmpp", f"{what}, the gateway's event loop", median(cpu_us), "µs CPU/notification"),
    ]


def _count(items: int) -> str:
    return "1 item" if items == 1 else f"{items} items at once"


async def publish_items(server: Server, items: int) -> None:
    """Publish so many items at once to `CHANNEL`; raises NotMeasured unless they are taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(server.publish_request(CHANNEL, items))
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read(4096)
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise NotMeasured(f"the publish was answered with {answer[:300]!r}")


class _Counting:
    """Counts what comes to some clients."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Event()

    async def listen(self, read: Callable[[], Awaitable[bytes]]) -> None:
        """Count what `read` brings until the connection ends."""
        rest = b""
        while data := await read():
            *whole, rest = (rest + data).split(_MARKER.encode())
            if whole:
                self.count += len(whole)
                self._changed.set()

    async def wait_for(self, count: int) -> None:
        """Return once so much has come, or time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self.count < count:
                    self._changed.clear()
                    await self._changed.wait()


async def _measure_secure(site: Site, options: Options) -> Figure:
    guests, counting = min(MAX_SECURE, options.subscribers), _Counting()
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(guests):
            client = await open_secure(site.tls_port)
            stack.callback(client.close)
            jid = await client.dialogue.sign_in(f"guest.{DOMAIN}", guest_auth())
            await client.dialogue.subscribe(jid, site.node, DOMAIN)
            clients.append(client)
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(counting.listen(client.read)) for client in clients]
            before = site.server.loop_cpu_s()
            for number in range(1, options.rounds + 1):
                await publish_items(site.server, BURST)
                await counting.wait_for(number * BURST * guests)
            wanted = options.rounds * BURST * guests
            cpu_us = 1e6 * (site.server.loop_cpu_s() - before) / wanted
            for task in listening:
                task.cancel()
    fault = "" if counting.count == wanted else f"{counting.count} of {wanted} notifications came"
    what = f"embedded: {BURST} items at once to {guests} guests, TLS, the gateway's event loop"
    return Figure("xmpp", what, cpu_us, "µs CPU/notification", "", fault)


# -- publishes


async def _measure_publishes(site: Site, name: str, seconds: float) -> Figure:
    """One client with TLS publishes, some stanzas in flight; a guest is subscribed."""
    [guest] = await subscribe_guests(site.door, site.node, 1)
    claims = {"iss": site.server.realm, "exp": int(time.time()) + 3600}
    token = jwt.encode(claims, base64.b64decode(site.server.key), algorithm="HS256")
    client, counting = await open_secure(site.tls_port), _Counting()
    read = partial(asyncio.get_running_loop().sock_recv, guest, 65_536)
    listening = asyncio.create_task(counting.listen(read))  # all the while: who does not read is given up as slow
    try:
        await client.dialogue.sign_in(DOMAIN, plain_auth(f"{site.server.realm}.bench", token))
        sent, refused, took_s = await _publish_while(client, site.node, seconds)
        await counting.wait_for(sent)
    finally:
        listening.cancel()
        client.close()
        guest.close()
    fault = f"{refused} of {sent} publishes were refused" if refused else ""
    if not fault and counting.count != sent:
        fault = f"{counting.count} of {sent} items arrived"
    what = f"{name}: publishes by stanza over TLS, {IN_FLIGHT} in flight, one subscriber"
    return Figure("xmpp", what, sent / took_s, "per s", "≥ 1,000", fault)


async def _publish_while(client: SecureClient, node: str, seconds: float) -> tuple[int, int, float]:
    """Return how many were sent and all answered, how many of them with an error, and how long that took."""
    item = "<item><json xmlns='urn:xmpp:json:0'>{\"n\":1}</json></item>"
    payload = f"<pubsub xmlns='{PUBSUB}'><publish node='{node}'>{item}</publish></pubsub>"
    stanza = f"<iq type='set' id='p' to='pubsub.{DOMAIN}'>{payload}</iq>".encode()
    sent, answered, refused, rest = IN_FLIGHT, 0, 0, b""
    began_at = time.monotonic()
    await client.write(stanza * IN_FLIGHT)
    while answered < sent:
        async with asyncio.timeout(PATIENCE_S):
            data = await client.read()
        if not data:
            raise NotMeasured("the publisher's connection ended")
        *whole, rest = (rest + data).split(b"</iq>")
        answered += len(whole)
        refused += sum(b"<error" in one for one in whole)
        if whole and time.monotonic() - began_at < seconds:
            await client.write(stanza * len(whole))
            sent += len(whole)
    return sent, refused, time.monotonic() - began_at

"""What becomes of XMPP subscriptions when the gateway, the connection or the XMPP server goes: nothing is lost."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
from slixmpp.exceptions import IqError

from fanoutcloud.xmpp_certificate import generate
from tests.broker.tcp_proxy import TcpProxy
from tests.contracts.test_xmpp_commands import do
from tests.contracts.test_xmpp_receivers import CHAT, hear, hear_all, present, send
from tests.servers.command import free_port
from tests.servers.product import Product, ProductRealm
from tests.servers.prosody import Prosody, prosody_directory
from tests.servers.publishing import publish
from tests.servers.redis import RedisServer
from tests.servers.xmpp import XmppClient, XmppSite, make_token, signed_in

DOMAIN = "push.test"


class Gateway(Product):
    """`manage.py xmpp`: the gateway in a process of its own."""

    command = "xmpp"


class Installation:
    """An edge with the publish API, a gateway, Redis, and a Prosody that is reached through a relay."""

    def __init__(self, web: Product, gateway: Gateway, prosody: Prosody, relay: TcpProxy, site: XmppSite) -> None:
        self.web = web
        self.gateway = gateway
        self.prosody = prosody
        self.relay = relay
        self.site = site


@pytest.fixture
async def installation(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> AsyncIterator[Installation]:
    directory = prosody_directory()
    certificate = generate(directory, DOMAIN)
    gateway_port = free_port()
    auth_url = f"http://127.0.0.1:{gateway_port}/xmpp/auth"
    prosody = Prosody(directory, domain=DOMAIN, certificate=certificate, auth_url=auth_url)
    relay = TcpProxy("127.0.0.1", prosody.component_port)
    await relay.start()
    shared = {"REDIS_URL": redis_server.url, "XMPP_DOMAIN": DOMAIN, "XMPP_SECRET": prosody.secret}
    data_dir = tmp_path_factory.mktemp("xmpp")
    web = Product(data_dir, environment=shared)
    gateway = Gateway(
        data_dir,
        environment={
            **shared,
            "PORT": str(gateway_port),
            "XMPP_SERVER": relay.url.removeprefix("redis://").removesuffix("/0"),
        },
    )
    gateway.port = gateway_port
    try:
        await asyncio.to_thread(prosody.start)
        await asyncio.to_thread(web.start)
        [realm] = await asyncio.to_thread(web.create_realms, "alice@example.com")
        await asyncio.to_thread(gateway.start)
        yield Installation(
            web, gateway, prosody, relay, XmppSite(web, realm, realm, prosody.port, DOMAIN, certificate, prosody)
        )
    finally:
        gateway.kill()
        web.kill()
        prosody.kill()
        await relay.stop()
        shutil.rmtree(directory, ignore_errors=True)


class Receiver:
    """What a client makes of what comes: each position once, since a little may come twice after an outage."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    async def take(self, client: XmppClient, count: int) -> list[object]:
        """Return the JSON of the next `count` items."""
        values: list[object] = []
        while len(values) < count:
            _, _, value, position = await client.next()
            if position not in self._seen:
                self._seen.add(position)
                values.append(value)
        return values


async def put(realm: ProductRealm, channel: str, *values: object) -> None:
    await asyncio.to_thread(publish, realm, channel, *values)


async def subscribe_again(client: XmppClient, channel: str, since: str) -> None:
    """Subscribe once the gateway is back at the server."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.subscribe(channel, since=since)
                return
            except IqError:
                await asyncio.sleep(0.1)


async def put_both(realm: ProductRealm, channel: str, *values: object) -> None:
    """Publish for subscribers, and a stanza with the first value for addresses that were added."""
    await put(realm, channel, *values)
    await send(realm, channel, CHAT.format(values[0]))


async def hear_new(client: XmppClient, former: str) -> str:
    """Return what an address that was added is sent; the last of before may come once more."""
    while (text := await hear(client)) == former:
        pass
    return text


@pytest.mark.slow
async def test_nothing_is_lost_whatever_goes_connection_gateway_or_server(
    installation: Installation, channel: str
) -> None:
    """One installation for all, since starting it takes longer than the outages."""
    site, realm, receiver = installation.site, installation.site.realm, Receiver()
    async with signed_in(site, make_token(realm)) as client, present(site, "ops") as ops:
        await client.subscribe(channel)
        await do(client, "subscriber-add", site.admin, channel=channel, jid=site.account("ops"))
        await hear_all(site, channel, ops)
        await put(realm, channel, 1)
        assert await receiver.take(client, 1) == [1]

        await installation.relay.cut()
        await put_both(realm, channel, 2, 3)
        assert await receiver.take(client, 2) == [2, 3]
        assert await hear_new(ops, "are you there?") == "2"

        await asyncio.to_thread(installation.gateway.stop)
        await put_both(realm, channel, 4)
        await asyncio.to_thread(installation.gateway.start)
        assert await receiver.take(client, 1) == [4]
        assert await hear_new(ops, "2") == "4"

        installation.gateway.kill()
        await put_both(realm, channel, 5)
        await asyncio.to_thread(installation.gateway.start)
        assert await receiver.take(client, 1) == [5]
        assert await hear_new(ops, "4") == "5"

        await put(realm, channel, 6)
        while (last := await client.next())[2] != 6:
            pass
        since = last[3]
    installation.prosody.kill()
    await put(realm, channel, 7)
    await asyncio.to_thread(installation.prosody.start)

    async with signed_in(site, make_token(realm)) as client:
        await subscribe_again(client, channel, since)
        assert (await receiver.take(client, 1))[-1] == 7

"""From XMPP to everybody else, and back: each pair of a way to publish and a way to receive, on one server."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.contracts.bayeux import CLIENTS
from tests.contracts.test_xmpp_commands import do
from tests.contracts.transports import READERS, SiteUnderTest, WebSocketReader
from tests.servers.webhook_sink import running_sink
from tests.servers.xmpp import PATIENCE_S, XmppSite, make_token, signed_in, user_token

BODY = {"open": True, "text": "Grüße & <b>"}

Publish = Callable[[SiteUnderTest, str], Awaitable[None]]


@pytest.fixture
def site(embedded_door: XmppSite, http: httpx.AsyncClient) -> SiteUnderTest:
    """The same realm, as everybody without XMPP sees it."""
    return SiteUnderTest(embedded_door.product, embedded_door.realm, http)


async def publish_by_stanza(door: XmppSite, channel: str) -> None:
    async with signed_in(door, make_token(door.realm), name="server") as server:
        await server.publish(channel, BODY)


@pytest.mark.parametrize("name", READERS)
async def test_an_item_published_over_xmpp_arrives(
    name: str, embedded_door: XmppSite, site: SiteUnderTest, channel: str
) -> None:
    async with READERS[name](site, channel) as reader:
        await reader.ready()
        await publish_by_stanza(embedded_door, channel)

        assert await reader.data(1) == [BODY]


@pytest.mark.parametrize("name", CLIENTS)
async def test_an_item_published_over_xmpp_arrives_over_bayeux(
    name: str, embedded_door: XmppSite, site: SiteUnderTest, channel: str
) -> None:
    async with CLIENTS[name](site) as client:
        await client.begin(f"/{channel}")
        await publish_by_stanza(embedded_door, channel)

        assert await client.data(1) == [BODY]


async def test_an_item_published_over_xmpp_arrives_at_a_webhook(embedded_door: XmppSite, channel: str) -> None:
    with running_sink() as sink:
        async with signed_in(embedded_door, make_token(embedded_door.realm), name="server") as server:
            await do(server, "webhook-add", embedded_door.admin, url=f"{sink.url}/in", pattern=channel)
            await server.publish(channel, BODY)

        async with asyncio.timeout(PATIENCE_S):
            while not sink.received:  # noqa: ASYNC110 - the sink is a thread
                await asyncio.sleep(0.02)

    assert json.loads(sink.received[0].body)["data"]["items"][0]["data"] == BODY


async def _over_rest(site: SiteUnderTest, channel: str) -> None:
    await site.publish(channel, BODY)


async def _over_websocket(site: SiteUnderTest, channel: str) -> None:
    token = user_token(site.realm, "alice", **{channel: ["subscribe", "publish"]})
    async with WebSocketReader(site, channel, query=f"token={token}") as reader:
        await reader.ready()
        await reader.send(type="publish", channel=channel, data=BODY)
        await reader.data(1)


async def _over_client_post(site: SiteUnderTest, channel: str) -> None:
    token = user_token(site.realm, "alice", **{channel: ["publish"]})
    answer = await site.get(f"/fanout/publish?token={token}", method="POST", json={"channel": channel, "data": BODY})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("publish", [_over_rest, _over_websocket, _over_client_post])
async def test_an_item_arrives_over_xmpp_that_was_published(
    publish: Publish, embedded_door: XmppSite, site: SiteUnderTest, channel: str
) -> None:
    async with signed_in(embedded_door) as client:
        await client.subscribe(channel)
        await publish(site, channel)

        assert await client.data() == [BODY]

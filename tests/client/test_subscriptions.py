"""Subscriptions against the real product, over networks that fail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from fanoutcloud_client import (
    AsyncFanout,
    Event,
    InvalidRequest,
    Item,
    ReceivedItem,
    Reset,
    State,
    Subscribed,
    SubscriptionClosed,
    TransportName,
    Unauthorized,
    ws_message,
)
from fanoutcloud_client.subscriptions import AsyncSubscription
from fanoutcloud_client.transports.ladder import ALL_TRANSPORTS
from tests.broker.tcp_proxy import TcpProxy, tcp_proxy
from tests.servers.product import Product, ProductRealm

PATIENCE_S = 20.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

every_transport = pytest.mark.parametrize("transport", ALL_TRANSPORTS)


@pytest.fixture(scope="module")
def guarded(product: Product) -> ProductRealm:
    """A realm in which channels that begin with `guarded.` need a token."""
    realm = product.create_realm()
    product.run_python(
        "from realms.models import Realm\n"
        "from realms.rule_settings import parse_settings\n"
        "from realms.services import add_rule\n"
        "realm = Realm.objects.get(pk=sys.argv[1])\n"
        "add_rule(realm=realm, pattern='guarded.*', settings=parse_settings({'access': 'token'}))\n",
        realm.realm,
    )
    return realm


@asynccontextmanager
async def opened(realm: ProductRealm, *, port: int | None = None) -> AsyncIterator[AsyncFanout]:
    """The client of a realm; with `port`, subscribers go there."""
    url = realm.site.removesuffix(f"/r/{realm.realm}")
    site = "" if port is None else f"http://127.0.0.1:{port}/r/{realm.realm}"
    async with AsyncFanout(url, realm.realm, key=realm.key, site_url=site) as fanout:
        yield fanout


@asynccontextmanager
async def proxied(realm: ProductRealm) -> AsyncIterator[tuple[AsyncFanout, TcpProxy]]:
    """The client whose subscriptions go through a proxy that can be cut."""
    async with tcp_proxy(realm.site) as proxy, opened(realm, port=urlsplit(proxy.url).port) as fanout:
        yield fanout, proxy


async def wait_until_subscribed(subscription: AsyncSubscription) -> Subscribed:
    event = await subscription.get(timeout_s=PATIENCE_S)
    assert isinstance(event, Subscribed)
    return event


async def take(subscription: AsyncSubscription, count: int) -> list[object]:
    """Return the data of so many items; whatever else is told in between must be harmless."""
    found: list[object] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            event: Event = await anext(subscription)
            assert isinstance(event, ReceivedItem | Subscribed), event
            if isinstance(event, ReceivedItem):
                found.append(event.data)
    return found


@every_transport
async def test_what_is_published_comes_once_and_in_order_however_often_the_network_is_cut(
    realm: ProductRealm, transport: TransportName
) -> None:
    channel = f"cut-{transport}"
    async with proxied(realm) as (fanout, proxy), fanout.subscribe(channel, transports=[transport]) as subscription:
        subscription._backoff.chance.uniform = lambda least, most: least  # type: ignore[method-assign]  # no waits
        await wait_until_subscribed(subscription)
        found = []
        for at in range(0, 40, 20):
            await fanout.publish_items([Item(channel, n) for n in range(at, at + 10)])
            await proxy.cut()
            await fanout.publish_items([Item(channel, n) for n in range(at + 10, at + 20)])
            found += await take(subscription, 20)

    assert found == list(range(40))
    assert proxy.connections >= 3


@every_transport
async def test_lost_items_are_told_as_a_reset(realm: ProductRealm, transport: TransportName) -> None:
    channel = f"reset-{transport}"
    resets: list[Reset] = []
    async with opened(realm) as fanout:
        await fanout.publish(channel, "before")
        async with fanout.subscribe(channel, since={channel: "aaaaaaaa:7"}, transports=[transport]) as subscription:
            while not resets:
                event = await subscription.get(timeout_s=PATIENCE_S)
                assert event is not None
                resets += [event] if isinstance(event, Reset) else []
            await fanout.publish(channel, "after")
            async with asyncio.timeout(PATIENCE_S):
                found = [item.data async for item in _until(subscription, "after")]

    assert [reset.reason for reset in resets] == ["epoch_changed"]
    assert found[-1] == "after"


async def _until(subscription: AsyncSubscription, data: object) -> AsyncIterator[ReceivedItem]:
    async for item in subscription.items(on_reset=pytest.fail):
        yield item
        if item.data == data:
            return


async def test_a_place_is_carried_from_one_transport_to_another(realm: ProductRealm) -> None:
    positions: dict[str, str] = {}
    found: list[object] = []
    async with opened(realm) as fanout:
        for number, transport in enumerate([*ALL_TRANSPORTS, "websocket"]):
            async with fanout.subscribe("moved", "still", since=positions, transports=[transport]) as subscription:  # type: ignore[list-item]  # of ALL_TRANSPORTS
                if number == 0:
                    await wait_until_subscribed(subscription)
                    await wait_until_subscribed(subscription)
                    await fanout.publish("moved", -1)
                found += await take(subscription, 1)
                positions = subscription.positions
            await fanout.publish("moved", number)

    assert found == [-1, 0, 1, 2, 3]


@every_transport
async def test_a_position_for_one_of_two_channels_is_enough(realm: ProductRealm, transport: TransportName) -> None:
    old, new = f"old-{transport}", f"new-{transport}"
    async with opened(realm) as fanout:
        async with fanout.subscribe(old) as subscription:
            since = {old: (await wait_until_subscribed(subscription)).position}
        await fanout.publish_items([Item(old, "missed"), Item(new, "from before")])
        async with fanout.subscribe(old, new, since=since, transports=[transport]) as subscription:
            assert await take(subscription, 1) == ["missed"]
            await fanout.publish(new, "live")
            assert await take(subscription, 1) == ["live"]


async def test_positions_are_those_behind_what_was_taken(realm: ProductRealm) -> None:
    async with opened(realm) as fanout:
        async with fanout.subscribe("slow") as subscription:
            await wait_until_subscribed(subscription)
            await fanout.publish_items([Item("slow", n) for n in range(5)])
            assert await take(subscription, 2) == [0, 1]
            positions = subscription.positions

        async with fanout.subscribe("slow", since=positions) as subscription:
            assert await take(subscription, 3) == [2, 3, 4]


async def test_proxies_that_refuse_websockets_and_cut_streams_leave_the_next_transport(realm: ProductRealm) -> None:
    states: list[State] = []

    handlers: set[asyncio.Task[None] | None] = set()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"/fanout/ws" in head or b"/fanout/stream" in head:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            else:
                await _pass_on(head, reader, writer, realm)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the subscriber has left
        finally:
            writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with (
        server,
        opened(realm, port=server.sockets[0].getsockname()[1]) as fanout,
        fanout.subscribe("behind", on_state=states.append) as subscription,
    ):
        await wait_until_subscribed(subscription)
        await fanout.publish("behind", 1)
        assert await take(subscription, 1) == [1]
    await asyncio.wait([handler for handler in handlers if handler is not None], timeout=PATIENCE_S)

    assert [state.transport for state in states if state.name == "connected"] == ["sse"]


async def _pass_on(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, realm: ProductRealm
) -> None:
    port = int(realm.site.split(":")[2].split("/")[0])
    upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", port)
    upstream.write(head)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, upstream))
            group.create_task(_pump(upstream_reader, writer))
    except* (ConnectionError, EOFError):
        pass  # one of them has left
    finally:
        upstream.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on until the end, which is raised as EOFError."""
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    raise EOFError


@pytest.mark.parametrize(("transport", "breaks"), [("websocket", False), ("http-stream", True), ("long-poll", False)])
async def test_a_token_is_renewed_before_it_ends(
    guarded: ProductRealm, transport: TransportName, *, breaks: bool
) -> None:
    reasons: list[str] = []
    async with proxied(guarded) as (fanout, proxy):

        async def get_token(reason: str) -> str:
            reasons.append(reason)
            return fanout.make_token({"guarded.*": ["subscribe"]}, user="alice", lifetime_s=3)

        channel = f"guarded.{transport}"
        async with fanout.subscribe(channel, token=get_token, transports=[transport]) as subscription:
            await wait_until_subscribed(subscription)
            connections = proxy.connections
            if transport != "long-poll":  # its answers do not say how long a token holds
                async with asyncio.timeout(PATIENCE_S):
                    while len(reasons) < 3:
                        assert await subscription.get(timeout_s=0.1) is None or breaks
            await fanout.publish(channel, "still here")
            assert await take(subscription, 1) == ["still here"]

    assert reasons[0] == "connect"
    assert set(reasons[1:]) <= {"expiring"}
    assert (proxy.connections > connections) is breaks


@every_transport
async def test_a_refused_token_is_replaced_once(guarded: ProductRealm, transport: TransportName) -> None:
    reasons: list[str] = []
    async with opened(guarded) as fanout:

        def get_token(reason: str) -> str:
            reasons.append(reason)
            return "no.good.token" if reason == "connect" else fanout.make_token({"guarded.*": ["subscribe"]})

        async with fanout.subscribe("guarded.a", token=get_token, transports=[transport]) as subscription:
            assert (await wait_until_subscribed(subscription)).channel == "guarded.a"

    assert reasons == ["connect", "denied"]


@every_transport
async def test_without_a_token_the_cause_and_the_cure_are_raised(
    guarded: ProductRealm, transport: TransportName
) -> None:
    async with opened(guarded) as fanout, fanout.subscribe("guarded.b", transports=[transport]) as subscription:
        with pytest.raises(Unauthorized) as raised:
            async with asyncio.timeout(PATIENCE_S):
                [event async for event in subscription]  # a WebSocket tells of the channel before it ends

    assert raised.value.code == "no_token"
    assert raised.value.cure != ""


async def test_whoever_is_signed_out_is_not_asked_again(guarded: ProductRealm) -> None:
    async with opened(guarded) as fanout, fanout.subscribe("guarded.c", token=lambda _: None) as subscription:
        with pytest.raises(Unauthorized, match="there is no token"):
            await subscription.get(timeout_s=PATIENCE_S)

    assert subscription.state.name == "closed"


async def test_it_ends_where_the_publisher_ends_the_connection(realm: ProductRealm) -> None:
    async with opened(realm) as fanout, fanout.subscribe("ended", transports=["websocket"]) as subscription:
        await wait_until_subscribed(subscription)
        await fanout.publish_items([Item("ended", "last"), Item("ended", formats={"ws-message": {"action": "close"}})])

        events = [event async for event in subscription]

    assert [event.content for event in events if isinstance(event, ReceivedItem)] == ["last"]


async def test_text_and_bytes_come_where_there_is_no_json(realm: ProductRealm) -> None:
    async with opened(realm) as fanout, fanout.subscribe("raw", transports=["websocket"]) as subscription:
        await wait_until_subscribed(subscription)
        for content in ("text", b"\xff\x00"):
            await fanout.publish("raw", formats=ws_message(content))
        events = [await subscription.get(timeout_s=PATIENCE_S) for _ in range(2)]

    assert [event.content for event in events if isinstance(event, ReceivedItem)] == ["text", b"\xff\x00"]


async def test_patterns_find_channels(realm: ProductRealm) -> None:
    async with opened(realm) as fanout, fanout.subscribe(patterns=["found.*"]) as subscription:
        assert await subscription.get(timeout_s=0.5) is None
        await fanout.publish("found.1", "here")
        events = [await subscription.get(timeout_s=PATIENCE_S) for _ in range(2)]

    assert [type(event) for event in events] == [Subscribed, ReceivedItem]
    assert list(subscription.positions) == ["found.1"]


async def test_filters_choose_by_tags(realm: ProductRealm) -> None:
    async with opened(realm) as fanout, fanout.subscribe("filtered", filter="priority > 2") as subscription:
        await wait_until_subscribed(subscription)
        await fanout.publish_items([Item("filtered", n, tags={"priority": n}) for n in (1, 3, 2, 5)])

        assert await take(subscription, 2) == [3, 5]


async def test_a_subscription_that_was_closed_says_so(realm: ProductRealm) -> None:
    async with opened(realm) as fanout:
        subscription = fanout.subscribe("closed")
        await subscription.close()

        with pytest.raises(SubscriptionClosed):
            await anext(subscription)


async def test_what_can_not_be_subscribed_is_said_at_once(realm: ProductRealm) -> None:
    async with opened(realm) as fanout:
        with pytest.raises(InvalidRequest, match="no channel is named"):
            fanout.subscribe()
        with pytest.raises(InvalidRequest, match="not offered on these transports"):
            fanout.subscribe(patterns=["a.*"], transports=["sse", "long-poll"])
        with pytest.raises(InvalidRequest, match="there is no transport 'pigeon'"):
            fanout.subscribe("a", transports=["pigeon"])  # type: ignore[list-item]  # what is tried


async def test_a_realm_that_does_not_exist_is_raised_and_not_tried_for_ever(realm: ProductRealm) -> None:
    url = realm.site.removesuffix(f"/r/{realm.realm}")
    async with AsyncFanout(url, "00000000") as fanout, fanout.subscribe("a") as subscription:
        with pytest.raises(Exception, match="there is no realm 00000000; check the realm's id"):
            await subscription.get(timeout_s=PATIENCE_S)

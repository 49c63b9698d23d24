"""The broker on a real Cluster: each channel at its node, also when that changes. The contract suite runs there."""

import asyncio

import pytest

from fanoutcloud.broker.announcer import RedisAnnouncer
from fanoutcloud.broker.base import Outcome
from fanoutcloud.broker.redis_names import stream_key
from fanoutcloud.broker.redis_slots import slot_of
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StreamPosition
from tests.broker.redis_brokers import HELLO, REALM, Opened, until, until_available
from tests.contracts.brokers import KEEP, item
from tests.servers.cluster import RedisCluster, own_cluster, redis_cluster
from tests.servers.redis import RedisServer
from tests.servers.sentinel import ask

__all__ = ["own_cluster", "redis_cluster"]
pytestmark = pytest.mark.slow

SLOT = slot_of(stream_key(REALM, HELLO))
#: So many channels have some at each of three nodes.
MANY = [ChannelName(f"c{n}") for n in range(60)]


def nodes_of(cluster: RedisCluster, slot: int) -> tuple[RedisServer, RedisServer]:
    """Return the node of the slot, and another one."""
    source = cluster.server_of(slot)
    return source, next(server for server in cluster.servers if server is not source)


async def test_one_publish_reaches_channels_on_all_nodes(redis_cluster: RedisCluster) -> None:
    async with Opened(redis_cluster.url) as opened, Opened(redis_cluster.url) as other:
        await asyncio.gather(*(opened.broker.subscribe(REALM, channel) for channel in MANY))

        results = await other.broker.publish(REALM, [item("x", channel) for channel in MANY], retention=KEEP)

        assert {result.outcome for result in results} == {Outcome.STORED}
        await opened.listener.wait_for(len(MANY))
        counts = [ask(server.port, "PUBSUB", "SHARDCHANNELS", "fo:*") for server in redis_cluster.servers]
        assert all("fo:" in count for count in counts)
        await other.broker.forget_realm(REALM)
        assert not any("fo:" in ask(server.port, "KEYS", "fo:*") for server in redis_cluster.servers)


async def test_announcements_reach_all_whatever_node_they_are_given_to(redis_cluster: RedisCluster) -> None:
    async with Opened(redis_cluster.url) as opened, Opened(redis_cluster.url) as other:
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        opened.broker.listen("control", heard.put_nowait)
        await opened.broker.announce("control", b"ready")
        assert await asyncio.wait_for(heard.get(), 10) == b"ready"

        for n in range(5):
            await other.broker.announce("control", str(n).encode())
        announcer = RedisAnnouncer(redis_cluster.url)
        await asyncio.to_thread(announcer.announce, "control", b"5")
        announcer.close()

        assert {await asyncio.wait_for(heard.get(), 10) for _ in range(6)} == {b"0", b"1", b"2", b"3", b"4", b"5"}


async def test_a_channel_whose_slot_moves_keeps_its_items_and_subscribers(own_cluster: RedisCluster) -> None:
    source, target = nodes_of(own_cluster, SLOT)
    async with Opened(own_cluster.url) as opened, Opened(own_cluster.url) as other:
        start = await opened.broker.subscribe(REALM, HELLO)
        await other.publish("before")
        await opened.listener.wait_for(1)

        await asyncio.to_thread(own_cluster.begin_move, SLOT, source, target)
        with pytest.raises(Unavailable):  # some of its keys do not exist, so Redis can't tell where the rest is
            await other.publish("while it moves")
        await asyncio.to_thread(own_cluster.end_move, SLOT, source, target)
        await opened.listener.wait_until(lambda: opened.listener.reconnects >= 1)
        result = await other.publish_until_stored("after")

        await opened.listener.wait_until(lambda: "after" in opened.listener.texts(REALM))
        assert await opened.read(start) == ["before"]
        assert result.position is not None
        assert result.position.offset == 2
        assert await opened.is_lost(StreamPosition(start.epoch, 1))  # told, although nothing was lost: see 0005
        assert (await opened.broker.subscribe(REALM, HELLO)).offset == 2


@pytest.mark.parametrize("own_cluster", [1], indirect=True)
async def test_when_a_node_fails_its_replica_takes_over_and_readers_are_told(own_cluster: RedisCluster) -> None:
    failing = own_cluster.servers[0]
    channel = next(c for c in MANY if own_cluster.server_of(slot_of(stream_key(REALM, c))) is failing)
    well = next(c for c in MANY if own_cluster.server_of(slot_of(stream_key(REALM, c))) is not failing)
    async with Opened(own_cluster.url) as opened:
        start = await opened.broker.subscribe(REALM, channel)
        unharmed = await opened.broker.subscribe(REALM, well)
        await opened.broker.publish(REALM, [item("before", channel)], retention=KEEP)
        replica = own_cluster.replicas[0]
        await until(lambda: asyncio.to_thread(lambda: "fo:" in ask(replica.port, "KEYS", "fo:*")))

        await asyncio.to_thread(failing.kill)
        with pytest.raises(Unavailable):
            await opened.broker.publish(REALM, [item("lost", channel)], retention=KEEP)
        await opened.broker.publish(REALM, [item("well", well)], retention=KEEP)
        after = [item("after", channel, id="1")]
        (result,) = await until_available(lambda: opened.broker.publish(REALM, after, retention=KEEP))

        assert result.position is not None
        assert result.position.epoch != start.epoch
        (top,) = await opened.broker.positions([(REALM, well)])
        assert top == StreamPosition(unharmed.epoch, 1)
        await opened.listener.wait_until(lambda: opened.listener.reconnects >= 1)
        live = [item("live", channel, id="2")]
        await until_available(lambda: opened.broker.publish(REALM, live, retention=KEEP))
        await opened.listener.wait_until(lambda: "live" in opened.listener.texts(REALM, channel))


async def test_a_node_that_is_dead_makes_only_its_channels_unavailable(own_cluster: RedisCluster) -> None:
    source, _ = nodes_of(own_cluster, SLOT)
    async with Opened(own_cluster.url) as opened:
        await asyncio.to_thread(source.kill)

        with pytest.raises(Unavailable):
            await opened.publish("lost")

        await asyncio.to_thread(source.start)
        await opened.publish_until_stored("back")


async def test_a_server_that_is_no_cluster_is_refused(redis_server: RedisServer) -> None:
    with pytest.raises(Unavailable):
        async with Opened(redis_server.url.replace("redis://", "redis+cluster://")):
            pass


async def test_a_cluster_is_not_taken_for_a_single_server(redis_cluster: RedisCluster) -> None:
    _, other = nodes_of(redis_cluster, SLOT)
    with pytest.raises(Unavailable):
        async with Opened(f"redis://127.0.0.1:{other.port}") as opened:
            await opened.publish("to the wrong node")


async def test_starting_while_a_node_is_away_fails_and_leaves_nothing_running(own_cluster: RedisCluster) -> None:
    own_cluster.servers[2].kill()

    with pytest.raises(Unavailable):
        async with Opened(own_cluster.url):
            pass

    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("redis-")] == []

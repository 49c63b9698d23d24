"""Commands to a Redis Cluster: each channel's to the node that has its slot, wherever that is at the moment."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence

from fanoutcloud.broker.redis_address import RedisAddress, RedisTarget
from fanoutcloud.broker.redis_connection import (
    Argument,
    Redirected,
    RedisConnection,
    RedisLimits,
    Reply,
    ScriptMissing,
    SlotMoving,
)
from fanoutcloud.broker.redis_identity import ServerLife
from fanoutcloud.broker.redis_node import RedisNode
from fanoutcloud.broker.redis_scripts import ChannelCall, Script, Scripts, all_keys
from fanoutcloud.broker.redis_slots import Place, SlotMap, look_up_slots, slot_of
from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)

#: A call follows so many redirections, or waits so often for a slot that moves, and is then given up.
_ATTEMPTS = 12
_PAUSE_S = 0.05


async def start_all(starts: Iterable[Awaitable[None]]) -> None:
    """Wait for all of them, and then raise the first error: none is left running that a `close` would not see."""
    for outcome in await asyncio.gather(*starts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


class ClusterNode(RedisNode):
    """One primary of the Cluster. Its lineage is its life's name: a restart or fail-over always begins a new one."""

    def send(
        self, script: Script, header: Sequence[Argument], calls: Sequence[ChannelCall], *, is_asking: bool = False
    ) -> list[asyncio.Future[Reply]]:
        """Run the script once for each channel; the futures get the replies, or what the node says instead.

        Raises:
            Unavailable: the node is not connected.
        """
        commands: list[Sequence[Argument]] = []
        for call in calls:
            if is_asking:
                commands.append(("ASKING",))
            keys = all_keys(call.key)
            state = (self._salt, self._lineage, len(keys))
            commands.append(("EVALSHA", script.sha, len(keys), *keys, *state, *header, *call.arguments))
        futures = self.connection.call_all(commands)
        return futures[1::2] if is_asking else futures

    async def teach(self, script: Script) -> None:
        """Make the node know a script that it has forgotten."""
        await self.connection.call("SCRIPT", "LOAD", script.text)

    async def _find_lineage(self, connection: RedisConnection, life: ServerLife) -> str:
        return life.name


class ClusterCommands:
    """As `RedisNode`, for all primaries of a Cluster. Owns one task that keeps the map of slots, besides the nodes'."""

    def __init__(
        self,
        target: RedisTarget,
        *,
        scripts: Scripts,
        salt: str,
        limits: RedisLimits,
        on_map: Callable[[SlotMap], None],
    ) -> None:
        self._target = target
        self._scripts = scripts
        self._salt = salt
        self._limits = limits
        self._on_map = on_map
        self._map = SlotMap()
        self._nodes: dict[Place, ClusterNode] = {}
        self._left: list[ClusterNode] = []  # no longer primaries; to be closed
        self._is_outdated = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connection(self) -> RedisConnection:
        """The connection to some node.

        Raises:
            Unavailable: none is connected.
        """
        return self._any_connection()[1]

    def connection_for(self, key: str) -> RedisConnection:
        """Return the connection to the primary that has `key`.

        Raises:
            Unavailable: it is not connected.
        """
        return self._node_of(ChannelCall(key)).connection

    def connections(self) -> list[RedisConnection]:
        """Return the connections to all primaries.

        Raises:
            Unavailable: not all are connected.
        """
        return [self._nodes[place].connection for place in self._map.places]

    async def start(self) -> None:
        """Look up the map and connect to the primaries.

        Raises:
            Unavailable: no node tells the map, or a primary can't be reached.
        """
        self._map = await self._look_up()
        self._nodes = {place: self._make_node(place) for place in self._map.places}
        await start_all(node.start() for node in self._nodes.values())
        self._on_map(self._map.copy())
        self._keeper = asyncio.create_task(self._keep_map(), name="redis-cluster")  # owned: ended by close()

    async def close(self) -> None:
        """Disconnect from all; safe to call twice."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        for node in [*self._nodes.values(), *self._left]:
            await node.close()

    def distrust_map(self) -> None:
        """Look up the map soon: somebody was sent away by a node."""
        self._is_outdated.set()

    async def run(self, script: Script, header: Sequence[Argument], calls: Sequence[ChannelCall]) -> list[Reply]:
        """Run the script for each channel, in one round trip to each node as a rule; return the replies in order.

        Raises:
            Unavailable: at least one did not succeed; the others may have.
        """
        replies: list[Reply] = [None] * len(calls)
        left = list(range(len(calls)))
        for _ in range(_ATTEMPTS):
            left = await self._try(script, header, calls, replies, left)
            if not left:
                break
            await asyncio.sleep(_PAUSE_S)
        else:
            raise Unavailable("the broker is moving this channel", retry_after_s=1)
        if self._scripts.is_publish(script):
            nodes = {self._node_of(call) for call in calls}
            await asyncio.gather(*(node.wait_for_replicas() for node in nodes))
        return replies

    async def _try(
        self,
        script: Script,
        header: Sequence[Argument],
        calls: Sequence[ChannelCall],
        replies: list[Reply],
        left: list[int],
    ) -> list[int]:
        """Run what is `left`, put the replies in their places, and return what must be run again."""
        by_node: dict[ClusterNode, list[int]] = {}
        for index in left:
            by_node.setdefault(self._node_of(calls[index]), []).append(index)
        for node in by_node:
            _ = node.connection  # if one is away, nothing is sent to the others either
        order = [index for indexes in by_node.values() for index in indexes]
        sent = [
            future
            for node, indexes in by_node.items()
            for future in node.send(script, header, [calls[index] for index in indexes])
        ]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        again = []
        for index, outcome in zip(order, outcomes, strict=True):
            if isinstance(outcome, Redirected) and outcome.is_asking:
                outcome = await self._ask(script, header, calls[index], outcome)
            if isinstance(outcome, Redirected):
                self._note_move(calls[index], outcome)
                again.append(index)
            elif isinstance(outcome, ScriptMissing):
                await self._node_of(calls[index]).teach(script)
                again.append(index)
            elif isinstance(outcome, SlotMoving):
                again.append(index)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                replies[index] = outcome[0]
        return again

    async def _ask(
        self, script: Script, header: Sequence[Argument], call: ChannelCall, redirected: Redirected
    ) -> Reply:
        node = self._node_at(self._place_in(call, redirected))
        (future,) = node.send(script, header, [call], is_asking=True)
        (outcome,) = await asyncio.gather(future, return_exceptions=True)
        if isinstance(outcome, ScriptMissing):
            await node.teach(script)
            return SlotMoving("the broker is moving this channel", retry_after_s=1)
        return outcome

    def _note_move(self, call: ChannelCall, redirected: Redirected) -> None:
        place = self._place_in(call, redirected)
        self._node_at(place)
        self._map.note_move(redirected.slot, place)
        self.distrust_map()

    def _place_in(self, call: ChannelCall, redirected: Redirected) -> Place:
        return redirected.host or self._map.place_of(slot_of(call.key))[0], redirected.port

    def _node_of(self, call: ChannelCall) -> ClusterNode:
        return self._node_at(self._map.place_of(slot_of(call.key)))

    def _node_at(self, place: Place) -> ClusterNode:
        node = self._nodes.get(place)
        if node is None:
            node = self._nodes[place] = self._make_node(place)
            node.start_trying()
        return node

    def _make_node(self, place: Place) -> ClusterNode:
        address = self._target.server.at(*place)

        async def locate() -> RedisAddress:
            return address

        return ClusterNode(
            locate, scripts=self._scripts, salt=self._salt, limits=self._limits, replicas=self._target.replicas
        )

    async def _keep_map(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.watch_s):
                    await self._is_outdated.wait()
                await asyncio.sleep(_PAUSE_S)  # others have been sent away for the same reason
            self._is_outdated.clear()
            try:
                await self._take_map(await self._look_up())
            except Unavailable:
                continue  # the next look may get through
            except Exception:  # whatever it is: without this task a moved slot would stay lost
                logger.exception("redis_cluster_map_failed")

    async def _take_map(self, new: SlotMap) -> None:
        if new != self._map:
            logger.info("redis_cluster_changed", extra={"primaries": len(new.places)})
            self._map = new
        for place in new.places:
            self._node_at(place)
        self._left += [self._nodes.pop(place) for place in list(self._nodes) if place not in new.places]
        self._on_map(new.copy())
        while self._left:
            await self._left[-1].close()
            self._left.pop()

    async def _look_up(self) -> SlotMap:
        """Ask one node that is connected, or else those of the URL."""
        with contextlib.suppress(Unavailable):
            place, connection = self._any_connection()
            return await look_up_slots(connection, place)
        for address in self._target.servers:
            with contextlib.suppress(Unavailable):
                return await self._look_up_at(address)
        raise Unavailable("no node of the broker can be reached", retry_after_s=1)

    async def _look_up_at(self, address: RedisAddress) -> SlotMap:
        connection = await RedisConnection.open(address, limits=self._limits)
        try:
            return await look_up_slots(connection, (address.host, address.port))
        finally:
            await connection.close()

    def _any_connection(self) -> tuple[Place, RedisConnection]:
        for place in random.sample(list(self._nodes), len(self._nodes)):
            with contextlib.suppress(Unavailable):
                return place, self._nodes[place].connection
        raise Unavailable("the connection to the broker is down", retry_after_s=1)

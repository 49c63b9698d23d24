"""The live side of a Redis Cluster: one subscribed connection to each primary, and one for announcements."""

import asyncio
import random
from collections.abc import Callable

from fanoutcloud.broker.base import AnnouncementCallback, BrokerListener
from fanoutcloud.broker.redis_address import RedisAddress, RedisTarget
from fanoutcloud.broker.redis_cluster import start_all
from fanoutcloud.broker.redis_connection import Redirected, RedisLimits
from fanoutcloud.broker.redis_names import stream_key
from fanoutcloud.broker.redis_slots import Place, SlotMap, slot_of
from fanoutcloud.broker.redis_subscriptions import LiveSubscriptions, Subscription
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId

_ATTEMPTS = 20
_PAUSE_S = 0.1


class ClusterSubscriptions:
    """As `LiveSubscriptions`. Each channel is subscribed at the node that has its slot, and moves with it.

    Announcements are plain pub/sub, which a Cluster passes on to all nodes: any one will do.
    """

    def __init__(self, target: RedisTarget, *, limits: RedisLimits, distrust_map: Callable[[], None]) -> None:
        self._target = target
        self._limits = limits
        self._distrust_map = distrust_map
        self._map = SlotMap()
        self._nodes: dict[Place, LiveSubscriptions] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._announcements = LiveSubscriptions(self._locate_any, limits=limits)
        self._listener: BrokerListener | None = None
        self._is_started = False

    async def start(self) -> None:
        """Connect to all primaries of the map.

        Raises:
            Unavailable: one can't be reached.
        """
        self._is_started = True
        await start_all(node.start() for node in [self._announcements, *self._nodes.values()])

    async def close(self) -> None:
        """Disconnect from all; safe to call twice."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        for node in [*self._nodes.values(), self._announcements]:
            await node.close()

    def attach(self, listener: BrokerListener) -> None:
        """See `Broker.attach`."""
        self._listener = listener
        for node in self._nodes.values():
            node.attach(listener)

    def listen(self, topic: str, callback: AnnouncementCallback) -> Callable[[], None]:
        """See `Broker.listen`."""
        return self._announcements.listen(topic, callback)

    async def settle(self) -> None:
        """See `LiveSubscriptions.settle`."""
        await self._announcements.settle()

    def begin(self, realm: RealmId, channel: ChannelName) -> Subscription:
        """See `LiveSubscriptions.begin`. Raises `Unavailable` when no node has the slot."""
        return self._node_of(stream_key(realm, channel)).begin(realm, channel)

    async def confirm(self, subscription: Subscription) -> None:
        """See `LiveSubscriptions.confirm`. Follows the slot while it moves."""
        name = stream_key(subscription.realm, subscription.channel)
        for _ in range(_ATTEMPTS):
            try:
                return await self._node_of(name).confirm(subscription)
            except Redirected:  # `follow_map` hands the subscription to the right node soon
                await asyncio.sleep(_PAUSE_S)
        raise Unavailable("the broker is moving this channel", retry_after_s=1)

    def finish(self, subscription: Subscription, *, is_established: bool) -> None:
        """See `LiveSubscriptions.finish`."""
        node = self._find_node(stream_key(subscription.realm, subscription.channel))
        if node is not None:
            node.finish(subscription, is_established=is_established)

    def end(self, realm: RealmId, channel: ChannelName) -> None:
        """See `LiveSubscriptions.end`."""
        node = self._find_node(stream_key(realm, channel))
        if node is not None:
            node.end(realm, channel)

    def follow_map(self, slots: SlotMap) -> None:
        """Subscribe at another node what has moved there, and what a node has ended; let go of nodes without slots."""
        if slots != self._map:
            self._map = slots
            for place in slots.places - self._nodes.keys():
                self._nodes[place] = self._make_node(place)
            for place, node in list(self._nodes.items()):
                self._move_from(place, node)
            for place in self._nodes.keys() - slots.places:
                self._let_go(place)
        for node in self._nodes.values():
            node.renew()

    def _move_from(self, place: Place, node: LiveSubscriptions) -> None:
        moved: dict[Place, list[Subscription]] = {}
        for name in node.names():
            home = self._home_of(name)
            if home is not None and home != place:
                moved.setdefault(home, []).append(node.give_up(name))
        for home, subscriptions in moved.items():
            self._nodes[home].adopt(subscriptions)

    def _let_go(self, place: Place) -> None:
        if not self._nodes[place].names():  # else a slot has no node now: keep them until it has one
            closing = asyncio.create_task(self._nodes.pop(place).close())  # owned: waited for by close()
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _make_node(self, place: Place) -> LiveSubscriptions:
        address = self._target.server.at(*place)

        async def locate() -> RedisAddress:
            return address

        node = LiveSubscriptions(locate, limits=self._limits, names_per_command=1, on_ended=self._distrust_map)
        if self._listener is not None:
            node.attach(self._listener)
        if self._is_started:
            node.start_trying()
        return node

    def _home_of(self, name: str) -> Place | None:
        try:
            return self._map.place_of(slot_of(name))
        except Unavailable:
            return None

    def _find_node(self, name: str) -> LiveSubscriptions | None:
        """Return the node that holds the subscription, wherever its slot is by now."""
        holding = (node for node in self._nodes.values() if node.holds(name))
        home = self._home_of(name)
        return next(holding, None) if home is None or not self._nodes[home].holds(name) else self._nodes[home]

    def _node_of(self, name: str) -> LiveSubscriptions:
        return self._find_node(name) or self._nodes[self._map.place_of(slot_of(name))]

    async def _locate_any(self) -> RedisAddress:
        places = sorted(self._map.places)
        return self._target.server.at(*random.choice(places)) if places else self._target.server  # noqa: S311

"""The live side of `RedisBroker`: one connection that is subscribed to channels and topics, and stays so.

Commands of one loop turn go out together, in the order of the calls, followed by one PING: its answer comes after
all confirmations (Redis answers in order), so ten thousand subscribes at once need no book-keeping of their own.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from operator import itemgetter

import msgspec

from fanoutcloud.broker.base import AnnouncementCallback, BrokerListener, LiveItem
from fanoutcloud.broker.listening import AnnouncementListeners, deliver_items, tell_reconnected
from fanoutcloud.broker.redis_address import RedisAddress
from fanoutcloud.broker.redis_connection import Push, RedisConnection, RedisLimits
from fanoutcloud.broker.redis_link import Locate, RedisLink
from fanoutcloud.broker.redis_names import announcement_channel, stream_key
from fanoutcloud.broker.redis_replies import read_live_payload
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId

logger = logging.getLogger(__name__)

#: Names per SSUBSCRIBE: each is confirmed apart, and a batch should not hold Redis up for long.
NAMES_PER_COMMAND = 500


class Subscription:
    """One channel that is wanted live. `users` counts the calls of `subscribe` that are not through yet."""

    __slots__ = ("channel", "confirmed_by", "is_established", "realm", "users")

    def __init__(self, realm: RealmId, channel: ChannelName) -> None:
        self.realm = realm
        self.channel = channel
        self.users = 0
        self.is_established = False  # some `subscribe` succeeded
        self.confirmed_by: RedisConnection | None = None


class LiveSubscriptions:
    """Delivers live items and announcements from Redis to this process; subscribes anew after a lost connection."""

    def __init__(
        self,
        locate: Locate,
        *,
        limits: RedisLimits,
        names_per_command: int = NAMES_PER_COMMAND,
        on_ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._names_per_command = names_per_command  # in a Cluster those of one command must be of one slot
        self._on_ended = on_ended  # Redis has ended a subscription, or refused one
        self._link = RedisLink("live", locate, limits=limits, on_up=self._subscribe_all, on_pushes=self._on_pushes)
        self._wanted: dict[str, Subscription] = {}
        self._topics: dict[str, str] = {}  # pub/sub channel → topic
        self._announcements = AnnouncementListeners(on_first=self._add_topic, on_last=self._drop_topic)
        self._listener: BrokerListener | None = None
        self._has_been_up = False
        self._has_ended = False  # some subscription has to be made again
        self._takes_commands = False  # from the first connection on; what is wanted before is subscribed with it
        self._commands: list[tuple[str, str]] = []  # (verb, name), not yet written
        self._fence: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Connect; see `RedisLink.start`."""
        await self._link.start()

    def start_trying(self) -> None:
        """Connect as soon as it can be done; see `RedisLink.start_trying`."""
        self._link.start_trying()

    async def close(self) -> None:
        """Disconnect; see `RedisLink.close`."""
        await self._link.close()

    def follow(self, address: RedisAddress) -> None:
        """Let go of another server than this one: it is no longer where publishes go."""
        if self._link.address not in (None, address):
            self._link.drop()

    def attach(self, listener: BrokerListener) -> None:
        """See `Broker.attach`."""
        self._listener = listener

    def listen(self, topic: str, callback: AnnouncementCallback) -> Callable[[], None]:
        """See `Broker.listen`."""
        return self._announcements.listen(topic, callback)

    def begin(self, realm: RealmId, channel: ChannelName) -> Subscription:
        """Want the channel. The caller waits for `confirm` and then says how it ended with `finish`."""
        name = stream_key(realm, channel)
        subscription = self._wanted.get(name)
        if subscription is None:
            subscription = self._wanted[name] = Subscription(realm, channel)
        subscription.users += 1
        return subscription

    async def confirm(self, subscription: Subscription) -> None:
        """Return when Redis delivers the channel to us.

        Raises:
            Unavailable: the connection is down, or was lost before the confirmation.
        """
        connection = self._link.connection
        if subscription.confirmed_by is not connection:
            await self._command("SSUBSCRIBE", stream_key(subscription.realm, subscription.channel))
            subscription.confirmed_by = connection

    def finish(self, subscription: Subscription, *, is_established: bool) -> None:
        """End one `begin`; a subscription that none of its callers got is dropped."""
        subscription.users -= 1
        subscription.is_established |= is_established
        if not subscription.is_established and not subscription.users:
            self._drop(subscription)

    def end(self, realm: RealmId, channel: ChannelName) -> None:
        """Want the channel no more: nothing of it is delivered from now on."""
        subscription = self._wanted.get(stream_key(realm, channel))
        if subscription is not None:
            self._drop(subscription)

    def names(self) -> list[str]:
        """Return the names of what is wanted."""
        return list(self._wanted)

    def holds(self, name: str) -> bool:
        """Whether the name is wanted here."""
        return name in self._wanted

    def give_up(self, name: str) -> Subscription:
        """Want the name no more here: another connection will `adopt` it."""
        return self._wanted.pop(name)  # Redis ends it by itself when the slot goes

    def adopt(self, subscriptions: Iterable[Subscription]) -> None:
        """Want what another connection had; the listener is told that it may have missed something."""
        for subscription in subscriptions:
            subscription.confirmed_by = None
            self._wanted.setdefault(stream_key(subscription.realm, subscription.channel), subscription)
        self._has_ended = True
        self._has_been_up = True  # so that the listener is told, if this connection is yet to come

    def renew(self) -> None:
        """Subscribe again what Redis has ended or never began, if connected; then tell the listener."""
        try:
            connection = self._link.connection
        except Unavailable:
            return  # all is subscribed with the next connection
        if not self._has_ended:
            return
        self._has_ended = False
        ended = [name for name, one in self._wanted.items() if one.confirmed_by is None and one.is_established]
        for name in ended:
            self._enqueue("SSUBSCRIBE", name).add_done_callback(partial(self._on_renewed, name, connection))

    def _on_renewed(self, name: str, connection: RedisConnection, fence: asyncio.Future[None]) -> None:
        subscription = self._wanted.get(name)
        if subscription is not None and not fence.cancelled() and fence.exception() is None:
            subscription.confirmed_by = connection
            if self._listener is not None:
                tell_reconnected(self._listener)

    async def settle(self) -> None:
        """Return when the commands up to now have been carried out or have failed; never raises `Unavailable`."""
        if self._fence is not None:
            await asyncio.wait([self._fence])

    def _drop(self, subscription: Subscription) -> None:
        name = stream_key(subscription.realm, subscription.channel)
        if self._wanted.get(name) is subscription:  # else ended already, and perhaps begun anew by somebody else
            del self._wanted[name]
            self._enqueue("SUNSUBSCRIBE", name)

    def _add_topic(self, topic: str) -> None:
        self._topics[announcement_channel(topic)] = topic
        if self._takes_commands:
            self._enqueue("SUBSCRIBE", announcement_channel(topic))

    def _drop_topic(self, topic: str) -> None:
        del self._topics[announcement_channel(topic)]
        if self._takes_commands:
            self._enqueue("UNSUBSCRIBE", announcement_channel(topic))

    async def _command(self, verb: str, name: str) -> None:
        await asyncio.shield(self._enqueue(verb, name))  # shared: one caller's cancelling is not the others'

    def _enqueue(self, verb: str, name: str) -> asyncio.Future[None]:
        """Write the command at the end of this loop turn; the future is done when Redis has carried it out."""
        if self._fence is None or not self._commands:
            loop = asyncio.get_running_loop()
            self._fence = loop.create_future()
            self._fence.add_done_callback(lambda fence: fence.exception())  # nobody need wait for it
            loop.call_soon(self._flush, self._fence)
        self._commands.append((verb, name))
        return self._fence

    def _flush(self, fence: asyncio.Future[None]) -> None:
        commands, self._commands = self._commands, []
        try:
            connection = self._link.connection
            for verb, run in groupby(commands, itemgetter(0)):
                for names in _batches((name for _, name in run), self._names_per_command):
                    connection.send(verb, *names)
            ping = connection.fence()
        except Unavailable as error:
            fence.set_exception(error)
            return
        ping.add_done_callback(lambda done: self._pass_on(done, fence))

    async def _subscribe_all(self, connection: RedisConnection) -> None:
        """Subscribe a new connection to all that is wanted; then tell the hub, if it may have missed something."""
        self._takes_commands = True
        for names in _batches(list(self._topics)):
            connection.send("SUBSCRIBE", *names)
        for names in _batches(list(self._wanted)):
            still_wanted = [name for name in names if name in self._wanted]  # some may have ended since
            if still_wanted:
                for few in _batches(still_wanted, self._names_per_command):
                    connection.send("SSUBSCRIBE", *few)
            await connection.fence()
            for name in still_wanted:
                if name in self._wanted:
                    self._wanted[name].confirmed_by = connection
        await connection.fence()
        if self._has_been_up and self._listener is not None:
            tell_reconnected(self._listener)
        self._has_been_up = True

    def _on_pushes(self, pushes: Sequence[Push]) -> None:
        """Hand live items on together, and everything in the order in which it came."""
        items: list[LiveItem] = []
        for push in pushes:
            if push[0] == b"smessage":
                self._read_live(push[1].decode(), push[2], items)
                continue
            self._deliver(items)
            items = []
            self._on_other_push(push)
        self._deliver(items)

    def _deliver(self, items: list[LiveItem]) -> None:
        if items and self._listener is not None:
            deliver_items(self._listener, items)

    def _on_other_push(self, push: Push) -> None:
        if push[0] == b"sunsubscribe":
            subscription = self._wanted.get(push[1].decode()) if push[1] is not None else None
            if subscription is not None:  # not by us: the slot has moved. Or by us, and wanted again since: no harm
                subscription.confirmed_by = None
                self._has_ended = True
                self._on_ended()
        elif push[0] == b"message":
            topic = self._topics.get(push[1].decode())
            if topic is not None:
                self._announcements.deliver(topic, push[2])

    def _pass_on(self, ping: asyncio.Future[object], fence: asyncio.Future[None]) -> None:
        if ping.cancelled():
            fence.cancel()
        elif (error := ping.exception()) is not None:
            fence.set_exception(error)
            self._has_ended = True
            self._on_ended()
        else:
            fence.set_result(None)

    def _read_live(self, name: str, payload: bytes, items: list[LiveItem]) -> None:
        """Add the items of a live message to `items`."""
        subscription = self._wanted.get(name)
        if subscription is None:
            return
        try:
            stored = read_live_payload(payload)
        except (ValueError, msgspec.MsgspecError):  # not ours, or of a version to come; the hub sees the gap
            logger.warning("live_items_unreadable", extra={"realm": subscription.realm})
            return
        realm, channel = subscription.realm, subscription.channel
        if len(stored) == 1:  # as nearly always where there are many channels
            items.append((realm, channel, stored[0]))
        else:
            items += [(realm, channel, one) for one in stored]


def _batches(names: Iterable[str], size: int = NAMES_PER_COMMAND) -> Iterator[list[str]]:
    names = iter(names)
    while batch := list(islice(names, size)):
        yield batch

"""Followers of patterns: who wants every channel that begins so, brought to each as its publishers tell of it.

Delivery is the ordinary one: a found channel is joined by `Hub.join` from the position before its item. Source:
docs/topics/patterns.md.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.pattern_board import (
    COMING_TOPIC,
    PREFIXES_TOPIC,
    RENEW_S,
    WANTED_TOPIC,
    Prefixed,
    decode_coming,
    encode,
)
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError, Forbidden, InvalidRequest, LimitReached, Unauthorized, Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import ChannelPattern, Prefixes
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.edge.encoding import messages
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.selection.following import Following
from fanoutcloud.edge.selection.selected import Wish
from fanoutcloud.edge.selection.wishes import read_wish
from fanoutcloud.edge.site.requests import SubscribeRequest, check_channel_count

#: A found channel without items is let go after this long.
IDLE_S = 60.0
#: Channels of a realm that are remembered as found here, for those who come later.
MAX_HEARD = 20_000
_RETRY_S = 1.0

#: Returns when all publishers have heard what was announced before; bounded.
Confirm = Callable[[RealmId], Awaitable[object]]


class _Realm:
    """One realm's followers in this process."""

    def __init__(self) -> None:
        self.followers: dict[str, set[Subscriber]] = {}
        self.prefixes = Prefixes()
        #: Prefix → done once all publishers know of it.
        self.known: dict[str, asyncio.Future[None]] = {}
        #: Channels that publishers told of, and when.
        self.heard: dict[ChannelName, float] = {}
        #: Who has a channel by a pattern.
        self.found: dict[ChannelName, set[Subscriber]] = {}

    def matching(self, channel: ChannelName) -> set[Subscriber]:
        return {one for prefix in self.prefixes.find(channel) for one in self.followers[prefix]}

    def hear(self, channel: ChannelName, now: float) -> None:
        self.heard.pop(channel, None)
        self.heard[channel] = now
        if len(self.heard) > MAX_HEARD:
            del self.heard[next(iter(self.heard))]

    def lose(self, channel: ChannelName, subscriber: Subscriber) -> None:
        members = self.found.get(channel, set())
        members.discard(subscriber)
        if not members:
            self.found.pop(channel, None)

    def add(self, prefix: str, subscriber: Subscriber) -> None:
        self.followers.setdefault(prefix, set()).add(subscriber)
        self.prefixes.add(prefix)

    def remove(self, prefix: str, subscriber: Subscriber) -> None:
        members = self.followers.get(prefix, set())
        members.discard(subscriber)
        if not members:
            self.followers.pop(prefix, None)
            self.prefixes.discard(prefix)
            self.known.pop(prefix, None)


class PatternFollowers:
    """One process's. `run` must be running."""

    def __init__(self, hub: Hub, broker: Broker, confirm: Confirm) -> None:
        self._hub = hub
        self._broker = broker
        self._confirm = confirm
        self._edge = secrets.token_hex(4)
        self._realms: dict[RealmId, _Realm] = {}
        self._saying = asyncio.Lock()  # what is said later arrives later

    # -- patterns come and go

    async def follow(self, subscriber: Subscriber, pattern: ChannelPattern, wish: Wish | None) -> None:
        """Return once every item that is published from now on will be delivered, and the subscriber has been told.

        Raises:
            Unavailable: the broker does not answer.
        """
        here = self._realms.setdefault(subscriber.realm, _Realm())
        following = subscriber.following = subscriber.following or Following()
        following.patterns[pattern] = wish
        here.add(pattern.text, subscriber)
        known = here.known.get(pattern.text)
        if known is None:
            known = here.known[pattern.text] = asyncio.get_running_loop().create_future()
            self._hub.spawn(self._begin(subscriber.realm, here, pattern.text, known))
        try:
            await asyncio.shield(known)
        except Unavailable:
            self.unfollow(subscriber, pattern)
            raise
        for channel in [channel for channel in here.heard if pattern.matches(channel)]:
            await self._bring(subscriber, here, channel, None)
        text = messages.pattern_subscribed_message(str(pattern))
        if not subscriber.is_closed and pattern in following.patterns:
            subscriber.tell_aside("subscribed", text)

    async def _begin(self, realm: RealmId, here: _Realm, prefix: str, known: asyncio.Future[None]) -> None:
        """Have publishers know of a prefix that is new here."""
        try:
            async with self._saying:
                said = Prefixed(self._edge, realm, [prefix], is_all=False)
                await self._broker.announce(PREFIXES_TOPIC, encode(said))
            await self._confirm(realm)
        except Exception as error:  # whatever it is, those who wait in `follow` must hear of it
            if here.known.get(prefix) is known:
                del here.known[prefix]
            known.set_exception(error)
            known.exception()  # seen: there may be nobody left who waits
            if not isinstance(error, Unavailable):
                raise
        else:
            known.set_result(None)

    def unfollow(self, subscriber: Subscriber, pattern: ChannelPattern) -> None:
        """End one pattern; channels that no other pattern of the subscriber covers are left, and it is told so."""
        following, here = subscriber.following, self._realms.get(subscriber.realm)
        if following is None or here is None:
            return
        following.patterns.pop(pattern, None)
        here.remove(pattern.text, subscriber)
        for channel in list(subscriber.channels):
            if subscriber in here.found.get(channel, ()) and following.find(channel) is None:
                self._let_go(subscriber, channel)
        self._forget_if_unused(subscriber.realm, here)

    def forget(self, subscriber: Subscriber) -> None:
        """See `Followers.forget`."""
        following, here = subscriber.following, self._realms.get(subscriber.realm)
        if following is None or here is None:
            return
        for pattern in following.patterns:
            here.remove(pattern.text, subscriber)
        following.patterns.clear()
        for channel in subscriber.channels:
            self.left(subscriber, channel)
        self._forget_if_unused(subscriber.realm, here)

    def left(self, subscriber: Subscriber, channel: ChannelName) -> None:
        """See `Followers.left`."""
        here = self._realms.get(subscriber.realm)
        if here is not None:
            here.lose(channel, subscriber)

    def _forget_if_unused(self, realm: RealmId, here: _Realm) -> None:
        if not here.followers and self._realms.get(realm) is here:
            del self._realms[realm]

    def _let_go(self, subscriber: Subscriber, channel: ChannelName) -> None:
        self._hub.leave(subscriber, channel)
        subscriber.set_wish(channel, None)
        subscriber.tell_aside("unsubscribed", messages.unsubscribed_message(channel))

    # -- channels are found

    def _on_coming(self, payload: bytes) -> None:
        coming = decode_coming(payload)
        here = self._realms.get(RealmId(coming.realm))
        if here is None:
            return
        now = self._hub.clock.monotonic()
        for name, epoch, offset in coming.channels:
            channel, position = ChannelName(name), StreamPosition(epoch, offset)
            followers = here.matching(channel)
            if followers:
                here.hear(channel, now)
            for subscriber in followers:
                if channel not in subscriber.channels:
                    self._hub.spawn(self._bring(subscriber, here, channel, position))

    async def _bring(
        self, subscriber: Subscriber, here: _Realm, channel: ChannelName, since: StreamPosition | None
    ) -> None:
        """Join the channel, if the subscriber may have it and has room for it."""
        following = subscriber.following
        assert following is not None, "followers have patterns"
        async with following.turn:
            pattern = following.find(channel)
            if subscriber.is_closed or pattern is None or channel in subscriber.channels:
                return
            try:
                await self._hub.gate.check_now(subscriber, "subscribe", channel)
                check_channel_count(len(subscriber.channels) + 1, self._hub.limits.max_channels)
                await self._hub.ledger.admit_channels(subscriber.realm, [channel], self._hub.channels)
                subscriber.set_wish(channel, following.patterns.get(pattern))
                here.found.setdefault(channel, set()).add(subscriber)
                await self._hub.join(subscriber, [(channel, since)])
            except (Unauthorized, Forbidden):
                return  # not even its name is for them
            except (InvalidRequest, LimitReached) as error:
                self._tell_full(subscriber, following, pattern, error)
            except FanoutError:
                subscriber.close(CloseReason.UNAVAILABLE)
            else:
                following.is_full = False
                if following.find(channel) is None and subscriber in here.found.get(channel, ()):
                    self._let_go(subscriber, channel)  # the pattern was given up meanwhile
                self._hub.tell_connected(subscriber)
            finally:
                if channel not in subscriber.channels:
                    here.lose(channel, subscriber)

    def _tell_full(
        self, subscriber: Subscriber, following: Following, pattern: ChannelPattern, error: FanoutError
    ) -> None:
        """Say once that a channel was not joined; again only after another one was."""
        if not following.is_full:
            following.is_full = True
            subscriber.tell_aside("error", messages.error_message(error, pattern=str(pattern)))
            self._hub.tell_refused(subscriber.realm, error, subscriber.address)

    # -- time passes

    async def run(self) -> None:
        """Take part until cancelled."""
        unlisten = [
            self._broker.listen(COMING_TOPIC, self._on_coming),
            self._broker.listen(WANTED_TOPIC, self._on_wanted),
        ]
        try:
            is_said = await self._say(WANTED_TOPIC, b"")
            while True:
                await asyncio.sleep(RENEW_S if is_said else _RETRY_S)
                self.let_idle_go()
                is_said = await self.renew()
        finally:
            for end in unlisten:
                end()

    async def renew(self) -> bool:
        """Say again which prefixes are followed here; return whether that could be said."""
        async with self._saying:
            are_said = [
                await self._say(PREFIXES_TOPIC, encode(Prefixed(self._edge, realm, list(here.followers), is_all=True)))
                for realm, here in list(self._realms.items())
            ]
        return all(are_said)

    def let_idle_go(self) -> None:
        """Leave found channels that nothing came on for a while; they are told of before their next item."""
        limit = self._hub.clock.monotonic() - IDLE_S
        for realm, here in list(self._realms.items()):
            for channel in [channel for channel, heard_at in here.heard.items() if heard_at < limit]:
                local = self._hub.channels.get((realm, channel))
                if local is None or local.last_item_at < limit:
                    del here.heard[channel]
                    for subscriber in list(here.found.get(channel, ())):
                        self._let_go(subscriber, channel)

    async def _say(self, topic: str, payload: bytes) -> bool:
        try:
            await self._broker.announce(topic, payload)
        except Unavailable:
            return False
        return True

    def _on_wanted(self, payload: bytes) -> None:
        if self._realms:
            self._hub.spawn(self._renew_once())

    async def _renew_once(self) -> None:
        await self.renew()


async def follow_requested(hub: Hub, subscriber: Subscriber, request: SubscribeRequest) -> None:
    """Follow the patterns of a request.

    Raises:
        Unavailable: the broker does not answer.
    """
    if request.patterns and hub.followers is not None:
        wish = read_wish(request.options)
        for pattern in request.patterns:
            await hub.followers.follow(subscriber, pattern, wish)

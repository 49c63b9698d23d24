"""Presence of one process: reports who is here, follows channels that somebody watches, cleans up after the dead.

Only channels whose rule asks for it are counted; all others cost one comparison per subscription. `run` must be
running. Source: docs/topics/presence.md.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.activity import ActivitySink, PresenceChanged
from fanoutcloud.core.directory import RealmDirectory, RealmSnapshot
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.presence import (
    BEAT_S,
    REPEAT_S,
    Fenced,
    Outcome,
    PresenceStore,
    Snapshot,
)
from fanoutcloud.core.rules import DEFAULT_RULE
from fanoutcloud.edge.encoding.wire import TellsAside
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.presence.tally import Tally
from fanoutcloud.edge.presence.view import PresenceView

logger = logging.getLogger(__name__)

#: What has changed is reported this often, and told to those who watch half as often: two frames per second.
FLUSH_S = 0.25
FRAME_S = 0.5
#: Views are compared with the store this often: an announcement may have been lost.
RELOAD_BEATS = 10
#: A list is read from the store once in this time, however many ask for it.
LIST_S = 0.5
MAX_LISTS = 200
AT_ONCE = 100
#: Users that one event of the live console names.
MAX_SHOWN = 20

_Key = tuple[RealmId, ChannelName]
_KEPT = {"occupied", "vacated", "connected", "disconnected"}
_encode = msgspec.msgpack.Encoder().encode
_outcomes = msgspec.msgpack.Decoder(Outcome)


class Presence:
    """Owned by the composition, which sets it as `hub.local_channels.presence`."""

    def __init__(
        self, hub: Hub, store: PresenceStore, broker: Broker, directory: RealmDirectory, activity: ActivitySink
    ) -> None:
        self._activity = activity
        self.edge = secrets.token_hex(8)
        self._hub = hub
        self._store = store
        self._broker = broker
        self._directory = directory
        self._tallies: dict[_Key, Tally] = {}
        self._views: dict[_Key, PresenceView] = {}
        self._unlisten: dict[_Key, Callable[[], None]] = {}
        self._loading: set[_Key] = set()
        self._lists: dict[_Key, tuple[float, asyncio.Task[Snapshot]]] = {}
        self._is_known = False
        #: Set by the composition: called with the name of an edge that is dead, before it is forgotten. `Unavailable`:
        #: it is called again.
        self.on_dead: Callable[[str], Awaitable[None]] | None = None

    async def run(self) -> None:
        """Report, tell and clean up until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_every(FLUSH_S, self.flush))
            tasks.create_task(_every(FRAME_S, self.write_frames))
            tasks.create_task(self._live())

    async def _live(self) -> None:
        for number in itertools.count():
            await self.beat()
            if number % RELOAD_BEATS == 0:
                for key in list(self._views):
                    self._load_soon(key)
            if number % int(REPEAT_S / BEAT_S) == 0:
                for tally in self._tallies.values():
                    tally.repeat()
            await asyncio.sleep(BEAT_S)

    # -- counting (called by the hub)

    def opened(self, local: LocalChannel) -> None:
        """Begin to count a channel that has come here, if its rule asks for it."""
        snapshot = self._directory.find_cached(local.realm)
        if snapshot is None:
            self._hub.spawn(self._review(local.realm))
        else:
            self._follow(local, snapshot)

    def entered(self, subscriber: Subscriber, local: LocalChannel) -> None:
        """Count a subscriber that has the channel now, and tell it who is there if it wants to know."""
        if local.tally is not None:
            local.tally.enter(subscriber.grant)
            if local.channel in subscriber.watched or self._is_told_to_all(local):
                self._watch(subscriber, local)

    def exited(self, subscriber: Subscriber, local: LocalChannel) -> None:
        """Count out a subscriber that `entered`."""
        if local.tally is not None:
            local.tally.leave(subscriber.grant, self._hub.clock.monotonic())
        if local.view is not None:
            local.view.remove(subscriber)

    def realm_changed(self, realm: RealmId) -> None:
        """Count by the rules as they are now."""
        self._hub.spawn(self._review(realm))

    async def _review(self, realm: RealmId) -> None:
        try:
            snapshot = await self._directory.find_realm(realm)
        except Unavailable:
            return
        for local in list(self._hub.index.channels_of(realm).values()):
            self._follow(local, snapshot)

    def _follow(self, local: LocalChannel, snapshot: RealmSnapshot | None) -> None:
        """Count the channel if its rule asks for it, or a webhook wants to know."""
        key = (local.realm, local.channel)
        rule, kept = DEFAULT_RULE, False
        if snapshot is not None:
            rule = snapshot.rules.find(local.channel)
            kept = bool(_KEPT.intersection(rule.webhook_events))
            kept = kept or snapshot.webhooks.covers_presence(local.channel, snapshot.rules)
        if not (rule.presence or rule.join_leave or kept):
            if local.tally is not None:
                local.tally.clear(self._hub.clock.monotonic())
                local.tally = None
            return
        if local.tally is None:
            tally = local.tally = self._tallies.setdefault(key, Tally())
            for subscriber in self._hub.index.of_realm(local.realm):
                if local.channel in subscriber.channels:
                    tally.enter(subscriber.grant)
        local.tally.keeps_events = kept

    # -- reporting

    async def flush(self) -> None:
        """Report what has changed."""
        dirty = [key for key, tally in self._tallies.items() if tally.is_dirty]
        for start in range(0, len(dirty), AT_ONCE):
            await asyncio.gather(*[self._report(key) for key in dirty[start : start + AT_ONCE]])
        for key in [key for key, tally in self._tallies.items() if tally.is_over and key not in self._hub.channels]:
            del self._tallies[key]

    async def _report(self, key: _Key) -> None:
        tally = self._tallies[key]
        report = tally.take_report(self._hub.clock.monotonic())
        if report is None:
            return
        try:
            await self._spread(key, await self._store.report(*key, self.edge, report))
        except Unavailable:
            tally.repeat()
        except Fenced:
            self._be_born_again()

    async def _spread(self, key: _Key, outcome: Outcome) -> None:
        try:
            await self._broker.announce(_topic(key), _encode(outcome))
        except Unavailable:
            return  # whoever follows the channel compares from time to time
        if outcome.events and self._activity.is_watched(key[0]):
            self._tell_watchers(key, outcome)

    def _tell_watchers(self, key: _Key, outcome: Outcome) -> None:
        """Show the realm's owner what happened; many at once as a number."""
        joined = [event.user for event in outcome.events if event.kind == "joined"]
        left = [event.user for event in outcome.events if event.kind == "left"]
        kinds = [event.kind for event in outcome.events]
        self._activity.record(
            key[0],
            PresenceChanged(
                at=self._hub.clock.now(),
                channel=key[1],
                joined=joined[:MAX_SHOWN],
                left=left[:MAX_SHOWN],
                members=outcome.members,
                connections=outcome.connections,
                occupancy="occupied" if "occupied" in kinds else "vacated" if "vacated" in kinds else "",
            ),
        )

    def _be_born_again(self) -> None:
        """Go on under another name: what was reported under the old one is removed, or about to be."""
        self.edge, self._is_known = secrets.token_hex(8), False
        logger.warning("presence_lease_lost")
        for tally in self._tallies.values():
            tally.repeat()

    # -- leases

    async def beat(self) -> None:
        """Say that this edge lives, and clean up after those that don't."""
        try:
            beat = await self._store.beat(self.edge, is_first=not self._is_known)
            self._is_known = True
            if beat.is_gone:
                self._be_born_again()
            for edge in beat.silent:
                if edge != self.edge:
                    await self._clean_up(edge)
        except Unavailable:
            return

    async def _clean_up(self, edge: str) -> None:
        channels = await self._store.channels_of(edge)
        if channels is None:
            return
        for key in channels:
            try:
                await self._spread(key, await self._store.remove(*key, edge))
            except Fenced:
                continue  # another one has
        if self.on_dead is not None:
            await self.on_dead(edge)
        await self._store.forget(edge)
        logger.info("presence_cleaned_up", extra={"edge": edge, "channels": len(channels)})

    # -- watching

    def _is_told_to_all(self, local: LocalChannel) -> bool:
        snapshot = self._directory.find_cached(local.realm)
        return snapshot is not None and snapshot.rules.find(local.channel).join_leave

    def _watch(self, subscriber: Subscriber, local: LocalChannel) -> None:
        """Tell `subscriber` who is on the channel, and who comes and goes, while it has the channel."""
        if not isinstance(subscriber.wire, TellsAside):
            return
        key = (local.realm, local.channel)
        view = local.view = self._views.get(key)
        if view is None:
            view = local.view = self._views[key] = PresenceView(local.channel)
            self._unlisten[key] = self._broker.listen(_topic(key), partial(self._on_outcome, key))
            self._load_soon(key)
        view.add(subscriber, subscriber.wire)

    def _on_outcome(self, key: _Key, payload: bytes) -> None:
        view = self._views.get(key)
        if view is not None and view.take(_outcomes.decode(payload)):
            self._load_soon(key)

    def _load_soon(self, key: _Key) -> None:
        view = self._views[key]
        view.is_stale = True
        if key not in self._loading:
            self._loading.add(key)
            self._hub.spawn(self._load(key, view))

    async def _load(self, key: _Key, view: PresenceView) -> None:
        try:
            while view.is_stale:
                view.is_stale = False
                asked_at = view.version
                view.load(await self._store.snapshot(*key), asked_at=asked_at)
        except Unavailable:
            return  # loaded with the next comparison
        finally:
            self._loading.discard(key)

    async def write_frames(self) -> None:
        """Tell those who watch what has changed since the last time."""
        for key, view in list(self._views.items()):
            if view.is_unwatched:
                self._forget_view(key)
            else:
                view.write_frames()

    def _forget_view(self, key: _Key) -> None:
        del self._views[key]
        self._unlisten.pop(key)()
        local = self._hub.channels.get(key)
        if local is not None:
            local.view = None

    async def list_members(self, realm: RealmId, channel: ChannelName) -> Snapshot:
        """Return everybody on the channel, as of half a second ago at most.

        Raises:
            Unavailable: the store does not answer.
        """
        now, key = self._hub.clock.monotonic(), (realm, channel)
        at, reading = self._lists.get(key, (float("-inf"), None))
        if reading is None or at + LIST_S <= now or (reading.done() and reading.exception() is not None):
            reading = asyncio.create_task(self._store.snapshot(realm, channel))  # owned: awaited here
            self._lists.pop(key, None)
            self._lists[key] = (now, reading)
            if len(self._lists) > MAX_LISTS:
                del self._lists[next(iter(self._lists))]
        return await asyncio.shield(reading)


async def _every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:  # Any: as asyncio's
    while True:
        await asyncio.sleep(seconds)
        await work()


def _topic(key: _Key) -> str:
    return f"presence:{key[0]}/{key[1]}"

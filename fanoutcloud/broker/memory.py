"""The broker of a single process: development, tests, small installations. It ends with the process."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from fanoutcloud.broker.announcer import LoopAnnouncer
from fanoutcloud.broker.base import AnnouncementCallback, BrokerListener, History, HistoryWindow, PublishResult
from fanoutcloud.broker.listening import AnnouncementListeners, deliver_items
from fanoutcloud.broker.memory_stream import MemoryStream
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.reads import KeptItem
from fanoutcloud.core.streams import StoredItem, StreamPosition

#: Old items of idle channels are freed this often, so many channels at a time (1,000 cost about 1 ms).
SWEEP_EVERY_S = 5.0
SWEEP_STREAMS = 1000
#: A timer that the clock does not agree with (an injected one stands still) looks again after this long.
_RECHECK_S = 0.05

_Key = tuple[RealmId, ChannelName]


class MemoryBroker:
    """Keeps the promises of `Broker` for one process and one event loop. No method waits or is unavailable.

    Live items reach the listener inside `publish`, after they are stored and before it returns.
    """

    def __init__(self, clock: Clock, *, rules: StreamRules | None = None) -> None:
        self._clock = clock
        self._rules = rules or StreamRules()
        self._streams: OrderedDict[_Key, MemoryStream] = OrderedDict()  # those longest not swept first
        self._subscribed: set[_Key] = set()
        self._listener: BrokerListener | None = None
        self._announcements = AnnouncementListeners()
        self._release_timers: dict[_Key, asyncio.TimerHandle] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to free the memory of idle channels."""
        if self._sweep_timer is None:
            self._plan_sweep()

    async def close(self) -> None:
        """Stop all timers; what is stored stays readable until the broker is dropped."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        for timer in self._release_timers.values():
            timer.cancel()
        self._release_timers.clear()

    def attach(self, listener: BrokerListener) -> None:
        """See `Broker.attach`."""
        self._listener = listener

    async def publish(self, realm: RealmId, items: Sequence[Item], *, retention: Retention) -> list[PublishResult]:
        """See `Broker.publish`. Each item is delivered before the next one is taken in."""
        now = self._clock.monotonic()
        results = []
        for item in items:
            key = (realm, item.channel)
            stream = self._streams.get(key) or self._open(key, now)
            out: list[StoredItem] = []
            results.append(stream.publish(item, retention, now, out))
            self._deliver(key, stream, out)
        return results

    async def subscribe(self, realm: RealmId, channel: ChannelName) -> StreamPosition:
        """See `Broker.subscribe`."""
        self._subscribed.add((realm, channel))
        return self._position((realm, channel))

    async def unsubscribe(self, realm: RealmId, channel: ChannelName) -> None:
        """See `Broker.unsubscribe`."""
        self._subscribed.discard((realm, channel))

    async def positions(self, channels: Sequence[tuple[RealmId, ChannelName]]) -> list[StreamPosition]:
        """See `Broker.positions`."""
        return [self._position(key) for key in channels]

    async def read_since(
        self, realm: RealmId, channel: ChannelName, since: StreamPosition, *, limit: int
    ) -> list[StoredItem]:
        """See `Broker.read_since`."""
        now = self._clock.monotonic()
        key = (realm, channel)
        return (self._streams.get(key) or self._open(key, now)).read_since(since, limit, now)

    async def read_history(self, realm: RealmId, channel: ChannelName, window: HistoryWindow) -> History:
        """See `Broker.read_history`."""
        stream = self._streams.get((realm, channel))
        if stream is None:
            return History([], None)
        now = self._clock.monotonic()
        is_other_epoch = not window.is_of(stream.top.epoch)
        if is_other_epoch:
            window = replace(window, after=None, before=None)
        began_s = self._clock.now() - now
        items = [KeptItem(one.position, one.item, began_s + at) for at, one in stream.read_kept(window, now)]
        return History(items, stream.top, is_other_epoch)

    async def list_channels(self, realm: RealmId, *, prefix: str = "", limit: int) -> list[ChannelName]:
        """See `Broker.list_channels`."""
        return [key[1] for key in self._streams if key[0] == realm and key[1].startswith(prefix)][:limit]

    async def forget_realm(self, realm: RealmId) -> None:
        """See `Broker.forget_realm`. Looks at every stream."""
        for key in [key for key in self._streams if key[0] == realm]:
            del self._streams[key]
            self._stop_release_timer(key)

    async def announce(self, topic: str, payload: bytes) -> None:
        """See `Broker.announce`; the callbacks have been called when it returns."""
        self._announcements.deliver(topic, payload)

    def listen(self, topic: str, callback: AnnouncementCallback) -> Callable[[], None]:
        """See `Broker.listen`."""
        return self._announcements.listen(topic, callback)

    async def check(self) -> None:
        """See `Broker.check`: always well."""

    def announcer(self, loop: asyncio.AbstractEventLoop) -> LoopAnnouncer:
        """Return what other threads announce with; callbacks run on `loop`, which this broker lives on."""
        return LoopAnnouncer(loop, self._announcements.deliver)

    def _open(self, key: _Key, now: float) -> MemoryStream:
        stream = self._streams[key] = MemoryStream(self._rules, now)
        return stream

    def _position(self, key: _Key) -> StreamPosition:
        now = self._clock.monotonic()
        stream = self._streams.get(key) or self._open(key, now)
        stream.touch(now)
        self._let_overdue_go(key, stream, now)
        return stream.top

    def _deliver(self, key: _Key, stream: MemoryStream, out: list[StoredItem]) -> None:
        if stream.next_due_at() is not None and key not in self._release_timers:
            self._plan_release(key, stream)
        if self._listener is not None and key in self._subscribed:
            deliver_items(self._listener, [(*key, stored) for stored in out])

    def _let_overdue_go(self, key: _Key, stream: MemoryStream, now: float) -> None:
        out: list[StoredItem] = []
        stream.let_overdue_go(now, out)
        self._deliver(key, stream, out)

    def _plan_release(self, key: _Key, stream: MemoryStream) -> None:
        due_at = stream.next_due_at()
        if due_at is not None:
            delay_s = max(due_at - self._clock.monotonic(), _RECHECK_S)
            self._release_timers[key] = asyncio.get_running_loop().call_later(delay_s, self._release, key)

    def _release(self, key: _Key) -> None:
        """Timer: let go of what is overdue in one channel, and come back for what is not."""
        del self._release_timers[key]
        stream = self._streams.get(key)
        if stream is not None:
            self._let_overdue_go(key, stream, self._clock.monotonic())

    def _stop_release_timer(self, key: _Key) -> None:
        timer = self._release_timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _plan_sweep(self) -> None:
        self._sweep_timer = asyncio.get_running_loop().call_later(SWEEP_EVERY_S, self._on_sweep_timer)

    def _on_sweep_timer(self) -> None:
        self.sweep()
        self._plan_sweep()

    def sweep(self, max_streams: int = SWEEP_STREAMS) -> None:
        """Free what is over its time in the `max_streams` channels that were swept longest ago."""
        now = self._clock.monotonic()
        for key in list(islice(self._streams, max_streams)):
            if key not in self._subscribed and self._streams[key].is_forgettable(now):
                del self._streams[key]
            else:
                self._streams.move_to_end(key)

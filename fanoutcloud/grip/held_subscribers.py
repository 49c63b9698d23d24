"""What all held connections share: their subscriptions, the items that wait while the origin is asked, the judgement.

Source: GRIP: recovery with prev-id.
"""

import enum
from collections.abc import Callable

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.wire import Framing, WireFormat
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.grip.asking import Asking
from fanoutcloud.grip.control_messages import Message
from fanoutcloud.grip.exchange import Exchange
from fanoutcloud.grip.filters import FilterFault
from fanoutcloud.grip.instructions import Instruction
from fanoutcloud.grip.last_ids import LastIds
from fanoutcloud.grip.published_answers import AnswerPool
from fanoutcloud.grip.subscriptions import Subscriptions, following
from fanoutcloud.grip.timer_wheel import TimerWheel
from fanoutcloud.grip.wires import ResponseWire, SocketWire, StreamWire

#: Items kept while the origin is asked; more are dropped, and missed where the subscription has a prev-id.
MAX_WAITING_ITEMS = 100


class Services:
    """What holds of one process use together."""

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self.hub = hub
        self.last_ids = LastIds(broker)
        self.wheel = TimerWheel(hub.clock)
        self.answers = AnswerPool()
        self.asking = Asking(hub.clock)
        self.response_wire = ResponseWire(unframed)
        self._socket_wires: dict[Callable[[Message], bytes], SocketWire] = {}
        self._stream_wires: dict[tuple[str, Framing], StreamWire] = {}

    def socket_wire(self, encode: Callable[[Message], bytes]) -> SocketWire:
        """Return the wire that all WebSockets of one kind of server share."""
        wire = self._socket_wires.get(encode)
        if wire is None:
            wire = self._socket_wires[encode] = SocketWire(encode)
        return wire

    def stream_wire(self, realm: str, framing: Framing) -> StreamWire:
        """Return the wire that all streams of the realm share."""
        wire = self._stream_wires.get((realm, framing))
        if wire is None:
            wire = self._stream_wires[realm, framing] = StreamWire(framing, self.hub.clock)
        return wire


class Verdict(enum.Enum):
    """What an item means to a held connection."""

    DONE = "done"  # delivered, or not for it
    ASK = "ask"  # the origin has news
    MISSED = "missed"  # an item before it has not come


class HeldSubscriber(Subscriber):
    """A subscriber that does as its origin told. While `waiting` is not None, items wait there."""

    __slots__ = ("exchange", "services", "subscriptions", "waiting")

    is_shared = False

    def __init__(self, services: Services, exchange: Exchange, wire: WireFormat) -> None:
        super().__init__(exchange.snapshot.realm, wire, address=client_address(exchange.scope))
        self.services = services
        self.exchange = exchange
        self.subscriptions = Subscriptions()
        self.waiting: list[StoredItem] | None = []

    @property
    def is_at_rest(self) -> bool:
        return self.waiting is None and super().is_at_rest

    # -- items

    def find_filter(self, item: Item) -> str:
        """See `Subscriber.find_filter`: GRIP's delivery filters, such as skip-self."""
        return self.subscriptions.find_filter(item)

    def has_use_for(self, item: Item) -> bool:
        """Whether the item has a format for this kind of hold."""
        raise NotImplementedError

    def judge(self, stored: StoredItem) -> Verdict:
        """Deliver the item if it is to be delivered now."""
        raise NotImplementedError

    def ask_again(self) -> None:
        """Begin to ask the origin; items wait from now on."""
        raise NotImplementedError

    def deliver(self, stored: StoredItem) -> None:
        if not self.has_use_for(stored.item):
            return
        if self.waiting is not None:
            if len(self.waiting) < MAX_WAITING_ITEMS:
                self.waiting.append(stored)
            return
        verdict = self.judge(stored)
        if verdict is not Verdict.DONE:
            self._forget(stored, verdict)
            self.waiting = [stored] if verdict is Verdict.MISSED else []
            self.ask_again()

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        """Items were lost on the way: the origin knows better."""
        if self.waiting is None:
            self.waiting = []
            self.ask_again()

    def _forget(self, stored: StoredItem, verdict: Verdict) -> None:
        if verdict is Verdict.MISSED:
            self.services.last_ids.forget(self.realm, stored.item.channel, stored.position)

    def content_of(self, item: Item, content: bytes, expected: tuple[str, ...] | None) -> bytes | None:
        """Return the content for this connection, or None. A fault of a filter is told to the owner."""
        try:
            return self.subscriptions.content_of(item, content, expected)
        except FilterFault as fault:
            self.exchange.tell_failed(fault.line, cause=fault.code, field=fault.field)
            return None

    # -- doing as told

    async def adopt(self, told: Instruction) -> None:
        """Subscribe as the origin tells now. Raises `Unavailable` or `LimitReached`."""
        hub, subscriptions = self.services.hub, self.subscriptions
        subscriptions.adopt(told)
        for channel in [channel for channel in self.channels if channel not in subscriptions.channels]:
            hub.leave(self, channel)
        new = [channel for channel in subscriptions.channels if channel not in self.channels]
        if new:
            await hub.ledger.admit_channels(self.realm, new, hub.channels)
            await hub.join(self, [(channel, None) for channel in new])

    async def is_out_of_date(self) -> bool:
        """Tell whether the origin must be asked again: its answer is older than what this edge knows.

        Drops waiting items that the answer has already.
        """
        is_out_of_date = False
        for name, channel in list(self.subscriptions.channels.items()):
            if channel.prev_id is None:
                continue
            waiting = [stored for stored in self.waiting or () if stored.item.channel == name]
            rest = following(waiting, channel.prev_id)
            if rest is None:
                rest = waiting
                if await self._is_conflict(name, channel.prev_id):
                    is_out_of_date = True
                elif waiting:
                    rest = []
            self._drop(set(map(id, waiting)) - set(map(id, rest)))
        return is_out_of_date

    def _drop(self, dropped: set[int]) -> None:
        if dropped and self.waiting is not None:
            self.waiting = [stored for stored in self.waiting if id(stored) not in dropped]

    async def _is_conflict(self, name: ChannelName, prev_id: str) -> bool:
        local = self.services.hub.channels.get((self.realm, name))
        if local is None or local.top is None:
            return False
        position = local.position
        last_id = await self.services.last_ids.find(self.realm, name, position)
        if last_id is None or last_id == prev_id:
            return False
        self.services.last_ids.forget(self.realm, name, position)
        return True

    def take_waiting(self, is_over: Callable[[], bool]) -> bool:
        """Deliver what waits, and let items come directly from then on. False: the origin is to be asked first."""
        waiting, self.waiting = self.waiting or [], None
        for at, stored in enumerate(waiting):
            verdict = self.judge(stored)
            if is_over():
                return True
            if verdict is not Verdict.DONE:
                self._forget(stored, verdict)
                self.waiting = waiting[at:] if verdict is Verdict.MISSED else waiting[at + 1 :]
                return False
        return True

"""One Bayeux client: a subscriber that outlives its connections.

Between two connects it goes on to receive, into a queue that is bounded. What has no room there is not lost: the
session leaves the channel and comes back to where it stood once there is room, as any subscriber resumes.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Protocol

from fanoutcloud.core.access import pack_grant, unpack_grant
from fanoutcloud.core.activity import Transport
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.bayeux.messages import write_item
from fanoutcloud.edge.bayeux.session_state import SessionState
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.wire import Ending, Framing
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber

MAX_QUEUED_ITEMS = 500
MAX_QUEUED_BYTES = 524_288
#: A connect with the id of the one before it is a repetition if it comes this long after that was answered.
REPEATED_AFTER_S = 2.0


class BayeuxWire:
    """An item as a Bayeux message. Remembers the newest, which all sessions of its channel are sent."""

    transport: Transport = "bayeux"
    framing: Framing = staticmethod(unframed)
    is_joinable = False

    def __init__(self) -> None:
        self._newest: tuple[StoredItem | None, bytes] = (None, b"")

    def item(self, stored: StoredItem) -> bytes:
        if self._newest[0] is not stored:
            self._newest = (stored, write_item(stored) or b"")
        return self._newest[1]

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
        return b""

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        return b""

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        return b""

    def keep_alive(self) -> bytes:
        return b"[]"

    def closing(self, reason: CloseReason, text: str = "") -> bytes:
        return b""

    def ending(self, item: Item) -> Ending | None:
        """Items end no session: the publisher's `close` is for streams and WebSockets of its own."""
        return None


BAYEUX = BayeuxWire()


class Outlet(Protocol):
    """An open connection on which a session's messages go out as they come: a WebSocket or an EventSource."""

    outlives_session: bool  # whether the client may say more on it when its session has ended

    def send(self, messages: list[bytes]) -> None: ...

    def keep_alive(self) -> None: ...

    def unsent_bytes(self) -> int: ...

    async def drained(self) -> None: ...

    def close(self, reason: CloseReason) -> None: ...


class BayeuxSession(Subscriber):
    """What the server knows of a client, by its `clientId`, which is a secret of the client's."""

    __slots__ = (
        "_answered", "_hub", "_is_numbering", "_is_resuming", "_queue", "_queued_bytes", "_users", "_wants_resume",
        "client_id", "has_moved", "is_connected", "lost", "outlet", "positions", "wake",
    )  # fmt: skip

    is_shared = False

    def __init__(self, realm: RealmId, *, address: str, hub: Hub) -> None:
        super().__init__(realm, BAYEUX, address=address)
        self.client_id = secrets.token_urlsafe(24)
        self.sink = _SessionSink(self)
        self._hub = hub
        #: Where it stands in each of its channels, those that it had to leave for want of room, too.
        self.positions: dict[ChannelName, StreamPosition] = {}
        self._queue: list[bytes] = []
        self._queued_bytes = 0
        #: Channels of which items are gone for good, until the client has been told.
        self.lost: list[ChannelName] = []
        self.outlet: Outlet | None = None
        #: Has the held connect answered; None: none is held.
        self.wake: Callable[[], None] | None = None
        self.is_connected = False  # whether it ever came back after its handshake
        #: The connect that was answered last: its id, when that was, and what went with the answer.
        self._answered: tuple[bytes | None, float, list[bytes]] = (None, 0.0, [])
        self._is_numbering = False  # whether the client gives each connect an id of its own
        self._is_resuming = self._wants_resume = False
        self._users = 0
        self.has_moved = False  # to another edge, which has it under the same name

    # -- what the hub tells

    def begin(self, positions: dict[ChannelName, StreamPosition]) -> None:
        self.positions |= positions

    def deliver(self, stored: StoredItem) -> None:
        channel = stored.item.channel
        if stored.item.json_object is None:
            self.positions[channel] = stored.position
        elif self.is_full:
            self._hub.leave(self, channel)  # `resume` goes on from the position
        else:
            self.positions[channel] = stored.position
            self._pass_on(self.wire.item(stored))

    def pass_over(self, stored: StoredItem) -> None:
        self.positions[stored.item.channel] = stored.position

    def tell_subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> None:
        self.positions[channel] = position

    def tell_position(self, channel: ChannelName, position: StreamPosition) -> None:
        self.positions[channel] = position

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        self.positions[channel] = position
        if channel not in self.lost:
            self.lost.append(channel)

    def lose(self, channel: ChannelName, error: FanoutError) -> None:
        """Part with a channel that it may not have any more; Bayeux has no way to say so but that nothing comes."""
        self.forget(channel)
        if channel not in self.lost:
            self.lost.append(channel)
        self._hub.tell_refused(self.realm, error, self.address)

    def close(self, reason: CloseReason, text: str = "") -> None:
        """End the session; a client that is too slow only loses its connection, and comes back to the session."""
        outlet = self.outlet
        if reason is CloseReason.SLOW and outlet is not None:
            self.lost = list(self.positions)
            self.detach(outlet)
            outlet.close(reason)
        else:
            super().close(reason, text)

    def _finish(self, code: int, reason: str) -> None:
        self.on_lost()  # first, so that the connect which is answered now says that the session is over
        self.sink.close(code, reason)

    # -- messages on their way out

    @property
    def is_full(self) -> bool:
        """Whether what comes now has to wait in history."""
        if self.outlet is not None:
            return self.outlet.unsent_bytes() > self._hub.limits.outbox_bytes // 2
        return len(self._queue) >= MAX_QUEUED_ITEMS or self._queued_bytes >= MAX_QUEUED_BYTES

    @property
    def has_messages(self) -> bool:
        return bool(self._queue)

    def _pass_on(self, message: bytes) -> None:
        if self.outlet is not None:
            self.outlet.send([message])
            return
        self._queue.append(message)
        self._queued_bytes += len(message)
        if self.wake is not None:
            self.wake()

    def take_messages(self) -> list[bytes]:
        """Return what waits for the client; room for more is made."""
        messages, self._queue, self._queued_bytes = self._queue, [], 0
        if messages and len(self.channels) < len(self.positions):
            self._hub.spawn(self.resume())
        return messages

    def answer_connect(self, message_id: bytes | None) -> list[bytes]:
        """Return what goes with the answer to a connect."""
        messages = self.take_messages()
        self._answered = (message_id, self._hub.clock.monotonic(), messages)
        return messages

    def hear_connect(self, message_id: bytes | None) -> None:
        """Know that the client asks; if it asks a second time, the answer before has not reached it.

        Faye repeats a connect five seconds after its connection broke. Clients that give all connects the same id, or
        none, can't be told from that and get nothing twice.
        """
        answered_id, at, messages = self._answered
        if answered_id is None or message_id != answered_id:
            self._is_numbering = answered_id is not None and message_id is not None
        elif self._is_numbering and self._hub.clock.monotonic() - at >= REPEATED_AFTER_S:
            self._queue = messages + self._queue
            self._queued_bytes += sum(map(len, messages))
        self._answered = (None, 0.0, [])
        if answered_id is not None and message_id == answered_id:
            self._answered = (answered_id, at, [])
        if len(self.channels) < len(self.positions) and not self.is_full:
            self._hub.spawn(self.resume())

    async def resume(self) -> None:
        """Go on with the channels that it should have and has not: left for want of room, or at another edge.

        Raises:
            Unavailable: the broker does not answer.
        """
        self._wants_resume = True
        if self._is_resuming:
            return  # twice at once would bring it to a channel twice
        self._is_resuming = True
        try:
            while self._wants_resume and not self.is_closed:
                self._wants_resume = False
                await self._resume()
        finally:
            self._is_resuming = False

    async def _resume(self) -> None:
        if self.outlet is not None and self.is_full:
            await self.outlet.drained()  # ends when the connection does, which is watched for being stuck
        for channel in [channel for channel in self.positions if channel not in self.channels]:
            try:
                await self._hub.gate.check_now(self, "subscribe", channel)
            except FanoutError as error:
                self.lose(channel, error)
        left = [(channel, at) for channel, at in self.positions.items() if channel not in self.channels]
        if left and not self.is_closed:
            await self._hub.join(self, [*left])

    # -- from edge to edge (`bayeux.moves`)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it at this edge, while something is done that has to be whole."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    @property
    def is_in_use(self) -> bool:
        return self._users > 0

    def depart(self) -> SessionState:
        """Leave for another edge: what is held here is answered, and open connections end."""
        answered_id, at, messages = self._answered
        state = SessionState(
            client_id=self.client_id,
            name=self.connection,
            address=self.address,
            connected_at=self.connected_at,
            grant=pack_grant(self.grant),
            is_connected=self.is_connected,
            is_numbering=self._is_numbering,
            positions=[(channel, at.epoch, at.offset) for channel, at in self.positions.items()],
            queue=self._queue,
            lost=list(self.lost),
            answered=(answered_id, self._hub.clock.monotonic() - at, messages),
        )
        self._hub.detach(self)
        self.is_closed = self.has_moved = True
        self._queue, self._queued_bytes, self.lost = [], 0, []
        if self.wake is not None:
            self.wake()
        outlet, self.outlet = self.outlet, None
        if outlet is not None:
            outlet.close(CloseReason.CLIENT_LEFT)
        return state

    def arrive(self, state: SessionState) -> None:
        """Be the session that left another edge; `resume` follows once it is registered."""
        self.client_id, self.connection = state.client_id, state.name
        self.connected_at, self.grant = state.connected_at, unpack_grant(state.grant)
        self.is_connected, self._is_numbering = state.is_connected, state.is_numbering
        self.positions = {ChannelName(name): StreamPosition(epoch, offset) for name, epoch, offset in state.positions}
        self._queue, self._queued_bytes = list(state.queue), sum(map(len, state.queue))
        self.lost = [ChannelName(name) for name in state.lost]
        answered_id, ago_s, messages = state.answered
        self._answered = (answered_id, self._hub.clock.monotonic() - ago_s, list(messages))

    # -- connections

    def attach(self, outlet: Outlet) -> None:
        """Send what comes on `outlet` from now on, beginning with what waits."""
        if self.outlet is not outlet:
            former, self.outlet = self.outlet, outlet
            if former is not None:
                former.close(CloseReason.CLIENT_LEFT)
            if waiting := self.take_messages():
                outlet.send(waiting)

    def detach(self, outlet: Outlet) -> None:
        """Know that `outlet` is gone."""
        if self.outlet is outlet:
            self.outlet = None

    def forget(self, channel: ChannelName) -> None:
        """End the subscription to a channel."""
        self._hub.leave(self, channel)
        self.positions.pop(channel, None)


class _SessionSink:
    """What the hub sees of a session's connection: items go another way, see `BayeuxSession.deliver`."""

    __slots__ = ("_session",)

    def __init__(self, session: BayeuxSession) -> None:
        self._session = session

    def write(self, frame: bytes) -> None:
        """Be reminded to keep the connection alive, which is all that the hub writes here."""
        if frame and self._session.outlet is not None:
            self._session.outlet.keep_alive()

    def unsent_bytes(self) -> int:
        outlet = self._session.outlet
        return 0 if outlet is None else outlet.unsent_bytes()

    async def drained(self) -> None:
        """Return when history may go on; without a connection it goes on until the queue is full."""
        if self._session.outlet is not None:
            await self._session.outlet.drained()

    def close(self, code: int, reason: str) -> None:
        session = self._session
        if session.wake is not None:
            session.wake()
        if session.outlet is not None:
            session.outlet.close(session.close_reason)

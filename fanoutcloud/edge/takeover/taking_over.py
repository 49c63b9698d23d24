"""The new edge's side of a takeover: finds the old one, listens on its sockets, and goes on with its connections.

Source: docs/topics/deploys.md.
"""

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass, field
from pathlib import Path

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmDirectory
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.edge.access.enforcement import hold_against
from fanoutcloud.edge.connections.held import let_go
from fanoutcloud.edge.hub.rejoining import rejoin
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.takeover import messages
from fanoutcloud.edge.takeover.control_socket import PathTooLong, Peer, PeerGone, PeerSilent, WrongUser, connect
from fanoutcloud.edge.takeover.handing_over import ANSWER_TIMEOUT_S
from fanoutcloud.edge.takeover.messages import Misunderstood
from fanoutcloud.edge.takeover.state import KINDS, Arrived, Revival, revive

logger = logging.getLogger(__name__)

#: An old process that does not answer within this time is left alone.
GREETING_TIMEOUT_S = 5.0
_OPEN_TIMEOUT_S = 5.0
#: What a client may say while its connection is between two processes; more waits in the kernel.
_MAX_EARLY_BYTES = 1_048_576


class NothingToTakeOver(Exception):
    """There is no edge to follow; the text says why, for a person."""


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The edge to follow, and its listening sockets. `is_understood`: its connections come, too."""

    peer: Peer
    listeners: list[socket.socket]
    is_understood: bool


async def find_predecessor(path: Path) -> Predecessor:
    """Ask the edge at `path` for its listening sockets.

    Raises:
        NothingToTakeOver.
    """
    try:
        peer = connect(path)
    except (WrongUser, PathTooLong) as refused:
        raise NothingToTakeOver(f"{path} can't be used: {refused}") from None
    if peer is None:
        raise NothingToTakeOver(f"no edge answers at {path}")
    try:
        peer.send(messages.encode(messages.Hello(messages.VERSION)))
        message, descriptors = await peer.receive(timeout_s=GREETING_TIMEOUT_S)
        listeners = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        listening = messages.decode(message)
        if not isinstance(listening, messages.Listening):
            raise Misunderstood(f"{type(listening).__name__} came instead of Listening")
        if not listeners:
            raise Misunderstood("it listens to nothing")
    except (PeerGone, PeerSilent, Misunderstood) as failure:
        peer.close()
        raise NothingToTakeOver(
            f"the edge at {path}, process {peer.pid}, does not hand over ({failure}); end it with SIGTERM, or SIGKILL"
        ) from None
    return Predecessor(peer, listeners, is_understood=listening.version == messages.VERSION)


class _Arriving(asyncio.Protocol):
    """A connection that has come and is not ours yet: nothing is answered; what the client says is kept."""

    def __init__(self) -> None:
        self.early = b""
        self.is_lost = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.early += data
        if len(self.early) > _MAX_EARLY_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


@dataclass(slots=True)
class _Comer:
    state: messages.Connection
    transport: asyncio.Transport
    protocol: _Arriving


@dataclass(slots=True)
class Taken:
    """How it went. `left`: connections that the old process drains. `failure`: why it ended early, or empty."""

    connections: int = 0
    left: int = 0
    failure: str = ""
    seconds: float = 0.0
    _began_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def end(self) -> None:
        self.seconds = asyncio.get_running_loop().time() - self._began_at


class Takeover:
    """Goes on with the connections of a predecessor; the server must be listening on its sockets already."""

    def __init__(self, predecessor: Predecessor, revival: Revival, broker: Broker, directory: RealmDirectory) -> None:
        self._predecessor = predecessor
        self._peer = predecessor.peer
        self._revival = revival
        self._broker = broker
        self._directory = directory
        self._waiting: dict[int, list[_Comer]] = {}

    async def run(self) -> Taken:
        """Return when all connections have come or no more will. Cancelling gives back those that are under way."""
        taken = Taken()
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._receive_all(tasks, taken)
        finally:
            for comers in self._waiting.values():
                _leave(comers)
            self._peer.close()
        taken.end()
        return taken

    async def _receive_all(self, tasks: asyncio.TaskGroup, taken: Taken) -> None:
        try:
            self._peer.send(messages.encode(messages.Accepting()))
            while self._predecessor.is_understood:
                raw, descriptors = await self._peer.receive(timeout_s=ANSWER_TIMEOUT_S)
                message = messages.decode(raw)
                if isinstance(message, messages.Done):
                    taken.left = message.left
                    self._peer.send(messages.encode(messages.Bye()))
                    return
                await self._obey(message, descriptors, tasks, taken)
        except PeerGone as gone:
            taken.failure = f"the old process has gone: {gone}"
            for comers in self._waiting.values():  # without a Cancel it has not kept them
                self._take(comers, tasks, taken)
            self._waiting.clear()
        except (PeerSilent, Misunderstood) as failure:
            taken.failure = f"the old process does not go on: {failure}"

    async def _obey(
        self, message: messages.Message, descriptors: list[int], tasks: asyncio.TaskGroup, taken: Taken
    ) -> None:
        match message:
            case messages.Channels(names):
                await self._subscribe(names)
                self._tell(messages.Subscribed())
            case messages.Batch(number, states):
                comers, refused = await _let_come(states, descriptors)
                self._waiting[number] = comers
                self._tell(messages.Have(number, refused))
            case messages.Yours(number):
                self._take(self._waiting.pop(number, []), tasks, taken)
            case messages.Cancel():
                for comers in self._waiting.values():
                    _leave(comers)
                self._waiting.clear()
            case other:
                raise Misunderstood(f"{type(other).__name__} came out of turn")

    def _tell(self, message: messages.Message) -> None:
        """Answer; if the old process has gone, that is found behind what it has said before, perhaps a Cancel."""
        with contextlib.suppress(PeerGone):
            self._peer.send(messages.encode(message))

    async def _subscribe(self, names: list[tuple[str, str]]) -> None:
        """Subscribe to the channels before anybody comes who wants them; what fails is tried again then."""
        hub = self._revival.hub
        expected = [hub.local_channels.expect(RealmId(realm), ChannelName(channel)) for realm, channel in names]
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await asyncio.gather(*(asyncio.shield(local.opening) for local in expected), return_exceptions=True)
        except TimeoutError:
            logger.warning("takeover_channels_late", extra={"channels": len(names)})
        finally:
            for local in expected:
                hub.local_channels.expect_no_more(local)

    def _take(self, comers: list[_Comer], tasks: asyncio.TaskGroup, taken: Taken) -> None:
        """Make the connections ours: from here on they are answered by this process alone."""
        arrived = [
            revive(self._revival, comer.transport, comer.state, comer.protocol.early)
            for comer in comers
            if not comer.protocol.is_lost
        ]
        taken.connections += len(arrived)
        tasks.create_task(self._go_on(arrived))

    async def _go_on(self, arrived: list[Arrived]) -> None:
        moved = [(one.subscriber, one.positions) for one in arrived if one.subscriber is not None]
        try:
            await rejoin(self._revival.hub, self._broker, moved)
            for one in arrived:
                await one.go_on()
        except Exception:  # a fault in one batch must not end the process, nor leave its connections in silence
            logger.exception("takeover_batch_failed")
            for subscriber, _ in moved:
                subscriber.close(CloseReason.DRAINING)
        for realm in {subscriber.realm for subscriber, _ in moved}:
            await self._close_if_ended(realm, [subscriber for subscriber, _ in moved if subscriber.realm == realm])

    async def _close_if_ended(self, realm: RealmId, moved: list[Subscriber]) -> None:
        """Announcements of a realm's end, or of a revocation, find no connection that is between two processes."""
        with contextlib.suppress(FanoutError):
            snapshot = await self._directory.find_realm(realm)
            if snapshot is None:
                self._revival.hub.close_realm(realm)
            else:
                await hold_against(snapshot, self._revival.hub.gate, moved)


async def _let_come(states: list[messages.Connection], descriptors: list[int]) -> tuple[list[_Comer], list[int]]:
    """Make transports of the descriptors; return them, and the places of those that can't be taken."""
    if len(descriptors) != len(states):  # this process has no room for them all
        for descriptor in descriptors:
            socket.socket(fileno=descriptor).close()
        return [], list(range(len(states)))
    loop = asyncio.get_running_loop()
    comers, refused = [], []
    for place, (state, descriptor) in enumerate(zip(states, descriptors, strict=True)):
        come = socket.socket(fileno=descriptor)
        if state.kind not in KINDS:
            come.close()
            refused.append(place)
            continue
        come.settimeout(0)
        try:
            transport, protocol = await loop.connect_accepted_socket(_Arriving, come)
        except OSError:  # the client has gone
            come.close()
            refused.append(place)
            continue
        transport.pause_reading()
        comers.append(_Comer(state, transport, protocol))
    return comers, refused


def _leave(comers: list[_Comer]) -> None:
    for comer in comers:
        let_go(comer.transport)

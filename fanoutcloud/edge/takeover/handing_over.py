"""The old edge's side of a takeover: hands its listening sockets and its connections to the process that asks.

At any moment a connection belongs to one process, or is closed: until `Yours` is sent it is the old one's, which takes
it back if anything goes wrong; after that it is the new one's. Source: docs/topics/deploys.md.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fanoutcloud.broker.base import Broker
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.rejoining import rejoin
from fanoutcloud.edge.takeover import messages
from fanoutcloud.edge.takeover.control_socket import (
    MAX_DESCRIPTORS_PER_MESSAGE,
    MAX_MESSAGE_BYTES,
    Peer,
    PeerGone,
    PeerSilent,
)
from fanoutcloud.edge.takeover.messages import Misunderstood
from fanoutcloud.edge.takeover.state import Movable, Moving, depart, may_move

logger = logging.getLogger(__name__)

#: The other process composed itself before it asked; each of its answers is a matter of milliseconds.
ANSWER_TIMEOUT_S = 10.0
#: Waited for what is under way on the last connections, once nothing else is left to move.
PATIENCE_S = 2.0
_PAUSE_S = 0.02
_CHANNELS_PER_MESSAGE = 200
_MESSAGE_BYTES = MAX_MESSAGE_BYTES // 2  # what the batch itself costs, and a wide margin
_Answer = TypeVar("_Answer")


class Server(Protocol):
    """What is asked of the server whose connections move."""

    @property
    def connections(self) -> Iterable[object]: ...

    def listening_descriptors(self) -> list[int]: ...

    def stop_listening(self) -> None: ...

    async def listen_again(self) -> None: ...


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How it went. `is_replaced`: the other process serves now, and this one should end."""

    is_replaced: bool
    moved: int = 0
    left: int = 0


class HandingOver:
    """One attempt. After a failure everything is as before, but for the connections that moved."""

    def __init__(self, server: Server, hub: Hub, broker: Broker, *, limit_s: float) -> None:
        self._server = server
        self._hub = hub
        self._broker = broker
        self._limit_s = limit_s
        self._refused: set[Movable] = set()
        self._numbers = itertools.count(1)
        self._moved = 0

    async def run(self, peer: Peer) -> HandedOver:
        """Hand over what can be handed over, within `limit_s`."""
        try:
            hello = await self._expect(peer, messages.Hello)
        except (PeerGone, PeerSilent, Misunderstood):
            return HandedOver(is_replaced=False)  # it only looked whether somebody is here
        try:
            await self._hand_listeners(peer)
            if hello.version == messages.VERSION:
                await self._announce_channels(peer)
                await self._move_all(peer)
                left = sum(1 for _ in self._server.connections)
                peer.send(messages.encode(messages.Done(self._moved, left)))
                await self._expect(peer, messages.Bye)
        except (PeerGone, PeerSilent, Misunderstood) as failure:
            logger.warning("takeover_failed", extra={"why": str(failure), "moved": self._moved, "peer_pid": peer.pid})
            await self._server.listen_again()
            return HandedOver(is_replaced=False, moved=self._moved)
        left = sum(1 for _ in self._server.connections)
        logger.info("takeover_done", extra={"moved": self._moved, "left": left, "peer_pid": peer.pid})
        return HandedOver(is_replaced=True, moved=self._moved, left=left)

    async def _hand_listeners(self, peer: Peer) -> None:
        """Hand over the listening sockets, and stop listening when the other process does."""
        descriptors = self._server.listening_descriptors()
        peer.send(messages.encode(messages.Listening(messages.VERSION)), descriptors)
        await self._expect(peer, messages.Accepting)
        self._server.stop_listening()

    async def _announce_channels(self, peer: Peer) -> None:
        """Have the other process subscribe to all channels first, so that no connection waits for the broker."""
        names = [(str(realm), str(channel)) for realm, channel in self._hub.channels]
        for page in _pages(names, _CHANNELS_PER_MESSAGE):
            peer.send(messages.encode(messages.Channels(page)))
            await self._expect(peer, messages.Subscribed)

    async def _move_all(self, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        began_at = progress_at = loop.time()
        while candidates := [c for c in self._server.connections if may_move(c) and c not in self._refused]:
            before = self._moved
            for page in _pages(candidates, MAX_DESCRIPTORS_PER_MESSAGE):
                await self._move(peer, page)  # type: ignore[arg-type] # `may_move` says that they are Movable
            now = loop.time()
            if self._moved > before:
                progress_at = now
            if now - progress_at > PATIENCE_S or now - began_at > self._limit_s:
                return
            await asyncio.sleep(_PAUSE_S)

    async def _move(self, peer: Peer, candidates: Sequence[Movable]) -> None:
        """Move those of the candidates on which nothing is under way."""
        for held in candidates:
            held.transport.pause_reading()
        await asyncio.sleep(0)  # what was read before, and put off to this turn of the loop, is dealt with now
        moving: list[Moving] = []
        try:
            for held in candidates:
                one = depart(self._hub, held)
                if one is None:
                    held.transport.resume_reading()
                else:
                    moving.append(one)
            await asyncio.sleep(0)  # what uvloop could not write at once, it writes at the end of a turn
            for batch in _by_size([one for one in moving if one.is_sent and not one.is_lost]):
                await self._offer(peer, batch, moving)
        finally:
            await self._take_back(moving)

    async def _offer(self, peer: Peer, batch: list[Moving], moving: list[Moving]) -> None:
        """Send a batch; those that are the other process's then are taken out of `moving`."""
        number = next(self._numbers)
        states = [one.state for one in batch]
        try:
            peer.send(messages.encode(messages.Batch(number, states)), [one.descriptor for one in batch])
            answer = await self._expect(peer, messages.Have)
            if answer.number != number:
                raise Misunderstood(f"batch {answer.number} was answered instead of {number}")
            peer.send(messages.encode(messages.Yours(number)))
        except (PeerSilent, Misunderstood):
            peer.send(messages.encode(messages.Cancel()))  # before anything is read or written here again
            raise
        refused = set(answer.refused)
        for place, one in enumerate(batch):
            if place in refused:
                self._refused.add(one.held)
            else:
                one.held.let_go()
                moving.remove(one)
                self._moved += 1

    async def _take_back(self, moving: list[Moving]) -> None:
        stayed = [(one.subscriber, one.positions) for one in moving if one.subscriber is not None]
        if stayed:
            await rejoin(self._hub, self._broker, stayed)
        for one in moving:
            one.stay()

    async def _expect(self, peer: Peer, kind: type[_Answer]) -> _Answer:
        message, descriptors = await peer.receive(timeout_s=ANSWER_TIMEOUT_S)
        answer = messages.decode(message)
        if not isinstance(answer, kind) or descriptors:
            raise Misunderstood(f"{type(answer).__name__} came instead of {kind.__name__}")
        return answer


_One = TypeVar("_One")


def _pages(all_of_them: Sequence[_One], size: int) -> Iterator[list[_One]]:
    for start in range(0, len(all_of_them), size):
        yield list(all_of_them[start : start + size])


def _by_size(moving: list[Moving]) -> Iterator[list[Moving]]:
    """Split into batches that fit into a message; a connection that does not fit alone stays."""
    batch: list[Moving] = []
    total = 0
    for one in moving:
        size = len(messages.encode(one.state))
        if total + size > _MESSAGE_BYTES and batch:
            yield batch
            batch, total = [], 0
        if size <= _MESSAGE_BYTES:
            batch.append(one)
            total += size
    if batch:
        yield batch

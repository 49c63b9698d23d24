"""One side of a takeover, played by a test: the other side is real."""

import asyncio
import re
import socket

from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.takeover import messages
from fanoutcloud.edge.takeover.control_socket import Peer
from fanoutcloud.edge.takeover.messages import Connection
from tests.edge.takeover.handover_worlds import Client, Handover, peers
from tests.edge.worlds import PATIENCE_S, REALM

#: A whole WebSocket message from a client; it is answered with `pong`.
PING = b"\x81\x8f\x00\x00\x00\x00" + b'{"type":"ping"}'


async def read_numbers(client: Client, last: int) -> list[int]:
    """Return the items that come, up to the last."""
    heard = await client.read_until(b'"data":%d}' % last)
    return [int(found) for found in re.findall(rb'"data":(\d+)}', heard)]


class ScriptedNew:
    """The new edge's side, done by the test."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.channels: list[tuple[str, str]] = []

    def say(self, message: messages.Message) -> None:
        self.peer.send(messages.encode(message))

    async def hear(self) -> messages.Message:
        raw, self.descriptors = await self.peer.receive(timeout_s=PATIENCE_S)
        return messages.decode(raw)

    async def greet(self) -> None:
        self.say(messages.Hello(messages.VERSION))
        await self.hear()
        close_all(self.descriptors)
        self.say(messages.Accepting())
        heard = await self.hear()
        assert isinstance(heard, messages.Channels)
        self.channels += heard.names
        self.say(messages.Subscribed())

    async def receive_batch(self) -> messages.Batch:
        batch = await self.hear()
        assert isinstance(batch, messages.Batch)
        close_all(self.descriptors)
        return batch


def close_all(descriptors: list[int]) -> None:
    """Let go of descriptors that came."""
    for descriptor in descriptors:
        socket.socket(fileno=descriptor).close()


class ScriptedOld:
    """The old edge's side, done by the test: it has one stream to hand over."""

    def __init__(self, handover: Handover) -> None:
        self.edge = handover.old
        left, right = peers()
        self.peer = left
        self.taking_over = asyncio.create_task(handover.new.take_over(right))

    async def offer(self, **changes: object) -> messages.Have:
        """Hand over the only connection as the batch 1; return what the new edge says."""
        await self.hear(messages.Hello)
        self.say(messages.Listening(messages.VERSION))
        await self.hear(messages.Accepting)
        [held] = self.edge.server.connections
        self.held = held
        held.transport.pause_reading()
        owner = held.owner
        assert isinstance(owner, Subscriber)
        positions = self.edge.hub.find_positions(owner)
        assert positions is not None
        self.edge.hub.detach(owner)
        channels = [(channel, at.epoch, at.offset) for channel, at in positions.items()]
        kind = str(changes.get("kind", "json-lines"))
        state = Connection(kind, realm=REALM, name=owner.connection, channels=channels)
        descriptor = held.transport.get_extra_info("socket").fileno()
        self.peer.send(messages.encode(messages.Batch(1, [state])), [descriptor])
        have = await self.hear(messages.Have)
        assert isinstance(have, messages.Have)
        return have

    def say(self, message: messages.Message) -> None:
        self.peer.send(messages.encode(message))

    async def hear(self, kind: type[messages.Message]) -> messages.Message:
        heard = messages.decode((await self.peer.receive(timeout_s=PATIENCE_S))[0])
        assert isinstance(heard, kind)
        return heard

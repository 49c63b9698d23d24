"""Two edges in one process, with real sockets between each of them and its clients, and a broker for both."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fanoutcloud.broker.base import LiveItem
from fanoutcloud.core.activity import ActivitySink
from fanoutcloud.core.directory import RealmDirectory, RealmSnapshot
from fanoutcloud.core.names import ChannelName
from fanoutcloud.edge.connections.held import HeldStream
from fanoutcloud.edge.connections.held_poll import HeldPoll
from fanoutcloud.edge.connections.held_websocket import HeldWebSocket
from fanoutcloud.edge.encoding.wire import PREPARED_JSON_LINES, PREPARED_WEBSOCKET
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.takeover.control_socket import Peer
from fanoutcloud.edge.takeover.handing_over import HandedOver, HandingOver
from fanoutcloud.edge.takeover.state import Revival
from fanoutcloud.edge.takeover.taking_over import Predecessor, Taken, Takeover, messages
from fanoutcloud.edge.transports.long_poll import PollSubscriber
from fanoutcloud.edge.transports.websocket import WebSocketSubscriber
from tests.edge.worlds import HELLO, KEEP, PATIENCE_S, REALM, EdgeWorld
from tests.fakes.directory import FakeDirectory


class Both:
    """Listens to a broker for two hubs, as two processes do."""

    def __init__(self, *hubs: Hub) -> None:
        self._hubs = hubs

    def on_items(self, items: Sequence[LiveItem]) -> None:
        for hub in self._hubs:
            hub.on_items(items)

    def on_reconnected(self) -> None:
        for hub in self._hubs:
            hub.on_reconnected()


class FakeServer:
    """What a handover asks of a server."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.is_listening = True
        self.listener = socket.socket()
        self.began_http: list[bytes] = []

    def listening_descriptors(self) -> list[int]:
        return [self.listener.fileno()]

    def stop_listening(self) -> None:
        self.is_listening = False

    async def listen_again(self) -> None:
        self.is_listening = True

    def begin_http(self, transport: asyncio.Transport, early: bytes) -> None:
        self.began_http.append(early)
        transport.close()


class Client:
    """The other end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(count)

    async def read_until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(mark)

    async def read_all(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()


class Edge:
    """One of the two."""

    def __init__(self, world: EdgeWorld, hub: Hub) -> None:
        self.world = world
        self.hub = hub
        self.server = FakeServer()
        self.directory: RealmDirectory = FakeDirectory(RealmSnapshot(REALM, keys=(), retention=KEEP))
        self._clients: list[Client] = []

    async def stream(self, channel: ChannelName = HELLO) -> Client:
        """Return the client of a stream that has joined."""
        subscriber = Subscriber(REALM, PREPARED_JSON_LINES, address="192.0.2.1")
        client, transport = await self._connect()
        subscriber.sink = HeldStream(transport, subscriber, limits=self.hub.limits, connections=self.server.connections)
        await self._join(subscriber, channel)
        await client.read_until(b'"recovered":false}\n\r\n')
        return client

    async def websocket(self, channel: ChannelName = HELLO) -> Client:
        """Return the client of a WebSocket that has joined."""
        subscriber = WebSocketSubscriber(REALM, PREPARED_WEBSOCKET, address="192.0.2.1", hub=self.hub)
        client, transport = await self._connect()
        connections = self.server.connections
        subscriber.sink = HeldWebSocket(transport, subscriber, limits=self.hub.limits, connections=connections)
        await self._join(subscriber, channel)
        await subscriber.handle_waiting()
        await client.read_until(b'"recovered":false}')
        return client

    async def poll(self, *, timeout_s: float = 30.0) -> Client:
        """Return the client of a held poll."""
        subscriber = PollSubscriber(REALM, address="192.0.2.1")
        client, transport = await self._connect()
        await self._join(subscriber, HELLO)
        HeldPoll(
            transport,
            subscriber,
            timeout_s=timeout_s,
            connections=self.server.connections,
            begin_http=self.server.begin_http,
        )
        return client

    async def _join(self, subscriber: Subscriber, channel: ChannelName) -> None:
        self.hub.register(subscriber)
        await self.hub.join(subscriber, [(channel, None)])

    async def _connect(self) -> tuple[Client, asyncio.Transport]:
        near, far = _tcp_pair()
        client = Client(*await asyncio.open_connection(sock=far))
        self._clients.append(client)
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, near)
        return client, transport

    async def hand_over(self, peer: Peer, *, limit_s: float = 10.0) -> HandedOver:
        try:
            return await HandingOver(self.server, self.hub, self.world.broker, limit_s=limit_s).run(peer)
        finally:
            peer.close()

    async def take_over(self, peer: Peer) -> Taken:
        """Do all that a new edge does, from the greeting on."""
        await greet(peer)
        revival = Revival(self.hub, self.server.connections, self.server.begin_http)
        predecessor = Predecessor(peer, [], is_understood=True)
        return await Takeover(predecessor, revival, self.world.broker, self.directory).run()

    async def close(self) -> None:
        self.server.listener.close()
        for connection in list(self.server.connections):
            connection.let_go()
        for client in self._clients:
            client.writer.transport.abort()
        await asyncio.sleep(0)


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of one TCP connection: what a FIN does shows on these, not on a socketpair of Unix."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    near.settimeout(0)
    far.settimeout(0)
    return near, far


async def greet(peer: Peer, *, version: int = messages.VERSION) -> messages.Listening:
    """Say hello as a new edge; return the old one's answer."""
    peer.send(messages.encode(messages.Hello(version)))
    message, descriptors = await peer.receive(timeout_s=PATIENCE_S)
    for descriptor in descriptors:
        socket.socket(fileno=descriptor).close()
    listening = messages.decode(message)
    assert isinstance(listening, messages.Listening)
    return listening


def peers() -> tuple[Peer, Peer]:
    """Return both ends of a control connection."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Peer(left), Peer(right)


class Handover:
    """An old edge, a new edge, and a broker."""

    def __init__(self, world: EdgeWorld) -> None:
        activity: ActivitySink = world.activity
        new_hub = Hub(broker=world.broker, activity=activity, limits=world.limits, clock=world.clock)
        world.broker.attach(Both(world.hub, new_hub))
        self.world = world
        self.old = Edge(world, world.hub)
        self.new = Edge(world, new_hub)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Handover"]:
        async def own_tasks(started: asyncio.Event) -> None:
            async with asyncio.TaskGroup() as tasks:
                self.new.hub.own_tasks(tasks)
                started.set()
                await asyncio.get_running_loop().create_future()

        started = asyncio.Event()
        owner = asyncio.create_task(own_tasks(started))
        await started.wait()
        try:
            yield self
        finally:
            await self.old.close()
            await self.new.close()
            owner.cancel()
            await asyncio.wait([owner])

    async def publish(self, *numbers: int) -> None:
        await self.world.publish(*numbers)

    async def run(self) -> tuple[HandedOver, Taken]:
        """Have the new edge take over from the old one."""
        left, right = peers()
        async with asyncio.timeout(PATIENCE_S):
            handed_over, taken = await asyncio.gather(self.old.hand_over(left), self.new.take_over(right))
        return handed_over, taken

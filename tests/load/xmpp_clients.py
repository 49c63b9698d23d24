"""XMPP clients for load: signed in and subscribed by a few raw stanzas, then left to whoever counts what comes."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.load.generator import NotMeasured

PATIENCE_S = 30.0
#: Below what the embedded door allows of one address before anybody has signed in.
SIGN_INS_AT_ONCE = 16
_READ_BYTES = 65_536
_OPEN = (
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{host}' version='1.0'>"
)
_SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
PUBSUB = "http://jabber.org/protocol/pubsub"


@dataclass(frozen=True, slots=True)
class Door:
    """Where clients connect to, and the installation's domain."""

    port: int
    domain: str


class Dialogue:
    """What is said to a server until a client is where it should be, on whatever carries it."""

    def __init__(self, write: "Write", read: "Read") -> None:
        self._write = write
        self._read = read

    async def say(self, text: str, until: str) -> str:
        """Write, and return what came up to `until`, which is the end of what comes."""
        heard = b""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._write(text.encode())
                while until.encode() not in heard:
                    data = await self._read()
                    if not data:
                        break
                    heard += data
        except (OSError, TimeoutError) as problem:
            raise NotMeasured(f"{until} did not come behind {text[:200]}: {heard[:300]!r}") from problem
        if until.encode() not in heard:
            raise NotMeasured(f"the connection ended behind {text[:200]}: {heard[:300]!r}")
        return heard.decode()

    async def sign_in(self, host: str, auth: str) -> str:
        """Sign in and return the full address."""
        await self.say(_OPEN.format(host=host), "</stream:features>")
        await self.say(auth, "<success")
        await self.say(_OPEN.format(host=host), "</stream:features>")
        answer = await self.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>")
        return answer.partition("<jid>")[2].partition("</jid>")[0]

    async def subscribe(self, jid: str, node: str, domain: str) -> None:
        """Subscribe a signed-in client to a node, with the presence by which its end will be known."""
        presence = f"<presence to='pubsub.{domain}'/>"
        subscribe = f"<pubsub xmlns='{PUBSUB}'><subscribe node='{node}' jid='{jid}'/></pubsub>"
        answer = await self.say(f"{presence}<iq type='set' id='s' to='pubsub.{domain}'>{subscribe}</iq>", "</iq>")
        if "subscription='subscribed'" not in answer.replace('"', "'"):
            raise NotMeasured(f"the subscription was answered with {answer[:300]}")


class Carrier:
    """A plain connection as `Dialogue` wants one."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self._loop = asyncio.get_running_loop()

    async def connect(self, port: int) -> None:
        """Connect on this machine."""
        await self._loop.sock_connect(self.socket, ("127.0.0.1", port))

    async def write(self, data: bytes) -> None:
        """Write all of it."""
        await self._loop.sock_sendall(self.socket, data)

    async def read(self) -> bytes:
        """Return what came; empty at the end."""
        return await self._loop.sock_recv(self.socket, _READ_BYTES)


async def subscribe_guests(door: Door, node: str, count: int) -> list[socket.socket]:
    """Return the connections of so many guests without TLS, each subscribed to the node."""
    at_once = asyncio.Semaphore(SIGN_INS_AT_ONCE)

    async def subscribe_one() -> socket.socket:
        async with at_once:
            carrier = Carrier()
            await carrier.connect(door.port)
            dialogue = Dialogue(carrier.write, carrier.read)
            jid = await dialogue.sign_in(f"guest.{door.domain}", guest_auth())
            await dialogue.subscribe(jid, node, door.domain)
            return carrier.socket

    async with asyncio.TaskGroup() as tasks:
        connecting = [tasks.create_task(subscribe_one()) for _ in range(count)]
    return [task.result() for task in connecting]


class SecureClient:
    """A client with TLS, in this process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.dialogue = Dialogue(self.write, self.read)

    async def write(self, data: bytes) -> None:
        """Write all of it."""
        self._writer.write(data)
        await self._writer.drain()

    async def read(self) -> bytes:
        """Return what came; empty at the end."""
        return await self._reader.read(_READ_BYTES)

    def close(self) -> None:
        """End the connection at once."""
        self._writer.transport.abort()


async def open_secure(port: int) -> SecureClient:
    """Return a client on a port that takes direct TLS."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # the certificate was made a moment ago, by itself
    return SecureClient(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))


def plain_auth(user: str, password: str) -> str:
    """Return the element that signs an account in."""
    told = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return f"<auth {_SASL} mechanism='PLAIN'>{told}</auth>"


def guest_auth() -> str:
    """Return the element that signs a guest in."""
    return f"<auth {_SASL} mechanism='ANONYMOUS'/>"


Write = Callable[[bytes], Awaitable[None]]
Read = Callable[[], Awaitable[bytes]]

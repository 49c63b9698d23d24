"""The embedded listener: XMPP clients straight to this process, without an XMPP server.

For `make up`, tests, and large fan-out to one's own devices: accounts with tokens, guests, PubSub and commands. No
messages between people, no contact lists, no federation. Source: docs/topics/xmpp.md.
"""

import asyncio
import logging
import secrets
import ssl
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fanoutcloud.core.errors import LimitReached, Unauthorized, Unavailable
from fanoutcloud.core.jids import Jid, find_jid
from fanoutcloud.core.stanza_format import HINT_WITHOUT_ID
from fanoutcloud.core.xml_elements import Element, write_element
from fanoutcloud.core.xml_parsing import XmlLimits
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.xmpp.addresses import Account, find_account
from fanoutcloud.xmpp.c2s import Bound, ClientStream, Closed, Event, SignIn, SignInAsGuest, StanzaCame, StartTls
from fanoutcloud.xmpp.disco import PING
from fanoutcloud.xmpp.gateway import Gateway
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import CLIENT, StanzaError, error_of

logger = logging.getLogger(__name__)

SIGN_IN_S = 30.0
SILENCE_S = 150.0
#: Whoever is silent for this long is asked for a sign of life (XEP-0199); any client answers, if with an error.
PING_S = 100.0
KEEP_ALIVE_S = 60.0
TICK_S = 1.0
CLOSE_S = 5.0
#: Connections that have not signed in yet, of one address and of all.
MAX_STRANGERS_PER_ADDRESS = 50
MAX_STRANGERS = 2_000
#: The log says once in so long, of one address, that its streams end with the same error.
SAY_AGAIN_S = 60.0
MAX_SAID = 1_000


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Where clients are listened to. `tls_port` takes direct TLS; 0: none."""

    host: str
    port: int
    tls_port: int
    requires_tls: bool
    tls: ssl.SSLContext
    limits: EdgeLimits
    stanza_limits: XmlLimits = field(default_factory=XmlLimits)


class Listener:
    """One process's door for clients. `start`, then `run` until cancelled."""

    def __init__(self, gateway: Gateway, settings: ListenerSettings) -> None:
        self.gateway = gateway
        self.settings = settings
        self.connections: set[ClientConnection] = set()
        self.strangers: Counter[str] = Counter()
        self.by_jid: dict[Jid, ClientConnection] = {}
        self.by_account: dict[Jid, set[ClientConnection]] = {}
        self._servers: list[asyncio.Server] = []
        self._said: set[tuple[str, str]] = set()

    async def start(self) -> None:
        """Listen. Raises OSError where a port can't be had."""
        loop, settings = asyncio.get_running_loop(), self.settings
        self._servers.append(
            await loop.create_server(lambda: ClientConnection(self, is_secure=False), settings.host, settings.port)
        )
        if settings.tls_port:
            self._servers.append(
                await loop.create_server(
                    lambda: ClientConnection(self, is_secure=True),
                    settings.host,
                    settings.tls_port,
                    ssl=settings.tls,
                    ssl_handshake_timeout=SIGN_IN_S,
                )
            )

    async def run(self) -> None:
        """Keep connections alive and end those that are silent, until cancelled."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time() + SAY_AGAIN_S
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            if now >= forget_at:
                forget_at = now + SAY_AGAIN_S
                self._said.clear()
            for connection in list(self.connections):
                connection.tick(now)

    async def stop(self) -> None:
        """End all connections."""
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.end("system-shutdown", "this server is going down; reconnect and resume")
        for server in self._servers:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await server.wait_closed()
        self._servers.clear()

    def admit(self, address: str) -> bool:
        """Count a stranger in; tell whether there is room for it."""
        self.strangers[address] += 1
        return self.strangers[address] <= MAX_STRANGERS_PER_ADDRESS and self.strangers.total() <= MAX_STRANGERS

    def known(self, address: str) -> None:
        """Count a stranger out: it has signed in, or gone."""
        self.strangers[address] -= 1
        if self.strangers[address] <= 0:
            del self.strangers[address]

    def bound(self, jid: Jid, connection: "ClientConnection") -> None:
        """Know whose a connection is; an older one of the same full address ends (RFC 6120 §7.7.2.2)."""
        former = self.by_jid.get(jid)
        self.by_jid[jid] = connection
        self.by_account.setdefault(jid.bare, set()).add(connection)
        if former is not None:
            former.end("conflict", "the same address has come again")

    def say_ended(self, address: str, error: str) -> None:
        """Log that a stream was ended by an error: once for an address and an error until the memory is emptied."""
        if (address, error) not in self._said and len(self._said) < MAX_SAID:
            self._said.add((address, error))
            logger.info("xmpp_stream_ended", extra={"error": error, "address": address})

    def forget(self, connection: "ClientConnection") -> None:
        self.connections.discard(connection)
        jid = connection.stream.jid
        if jid is not None and self.by_jid.get(jid) is connection:
            del self.by_jid[jid]
        if jid is not None and (others := self.by_account.get(jid.bare)) is not None:
            others.discard(connection)
            if not others:
                del self.by_account[jid.bare]

    # -- receivers.Way

    def reaches(self, jid: Jid) -> bool:
        return jid.domain == self.gateway.domains.main

    def send_to(self, jid: Jid, stanza: bytes) -> bool:
        connections = list(self.by_account.get(jid, ()))
        for connection in connections:
            connection.write(stanza)
        return bool(connections)

    def unsent_bytes(self) -> int:
        return 0  # each connection has a bound of its own

    async def drained(self) -> None:
        """Nothing is unsent here."""


class ClientConnection(asyncio.Protocol):
    """One client. Is its session's outlet, too."""

    takes_several = True

    def __init__(self, listener: Listener, *, is_secure: bool) -> None:
        settings = listener.settings
        self._listener = listener
        self._limits = settings.limits
        self.stream = ClientStream(
            listener.gateway.domains,
            is_secure=is_secure,
            requires_tls=settings.requires_tls,
            limits=settings.stanza_limits,
        )
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._address = ""
        self._session: Session | None = None
        self._account: Account | None = None
        self._token: str | None = None
        self._early: bytes | None = None  # what comes while TLS begins
        self._is_stranger = False
        self._is_ending = False
        self._begun_at = self._heard_at = self._sent_at = self._loop.time()
        self._pinged_at = 0.0
        self._changed = asyncio.Event()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's; uvloop's are no asyncio.Transport
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else "local"
        self._listener.connections.add(self)
        self._is_stranger = True
        transport.set_write_buffer_limits(high=self._limits.catch_up_bytes)  # type: ignore[attr-defined]  # as above
        if not self._listener.admit(self._address):
            self.end("resource-constraint", "too many connections that have not signed in")

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        if self._early is not None:
            self._early += data  # may come before `start_tls` returns the transport to answer on
        elif not self._is_ending:
            self._handle(self.stream.feed(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_ending = True
        self._changed.set()
        self._become_known()
        self._listener.forget(self)
        if self._session is not None:
            self._session.leave_all()

    def pause_writing(self) -> None:
        self._changed.clear()

    def resume_writing(self) -> None:
        self._changed.set()

    # -- the stream

    def _handle(self, events: list[Event]) -> None:
        self._flush()
        for event in events:
            match event:
                case StanzaCame(stanza):
                    self._take(stanza)
                case Bound(jid):
                    self._bind(jid)
                case SignIn(user, password):
                    self._spawn(self._sign_in(user, password))
                case SignInAsGuest():
                    domains = self._listener.gateway.domains
                    self.stream.accept(Jid(secrets.token_hex(8), domains.guest))
                    self._become_known()
                case StartTls():
                    self._transport.pause_reading()
                    self._early = b""
                    self._spawn(self._start_tls())
                case Closed(error):
                    self._finish(error)
        self._flush()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields and is sent
        self._listener.gateway.spawn(work)

    def _flush(self) -> None:
        output = self.stream.take_output()
        if output:
            self._write(output)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._sent_at = self._loop.time()
            self._transport.write(data)

    async def _start_tls(self) -> None:
        plain, tls = self._transport, self._listener.settings.tls
        try:
            secure = await self._loop.start_tls(plain, self, tls, server_side=True, ssl_handshake_timeout=SIGN_IN_S)
        except OSError:  # ssl.SSLError and TimeoutError are such
            secure = None
        if secure is None:
            plain.abort()
            return
        self._transport = secure
        self.stream.tls_begun()
        early, self._early = self._early or b"", None
        if early:
            self.data_received(early)

    async def _sign_in(self, user: str, password: str) -> None:
        account = find_account(user.strip())
        jid = find_jid(f"{user.strip()}@{self._listener.gateway.domains.main}")
        try:
            if account is None or jid is None or jid.is_full:
                raise Unauthorized("bad_credential", "accounts are REALM.NAME", cure="sign in as REALM.NAME")
            await self._listener.gateway.access.sign_in(account, password, address=self._address)
        except (Unauthorized, LimitReached, Unavailable) as error:
            refusal = "not-authorized" if isinstance(error, Unauthorized) else "temporary-auth-failure"
            if account is not None:
                self._listener.gateway.tell_refused(account.realm, error, self._address)
            self.stream.refuse(refusal, error.line)
        else:
            self._account, self._token = account, password
            self.stream.accept(jid)
            self._become_known()
        self._handle(self.stream.take_events())

    def _become_known(self) -> None:
        if self._is_stranger:
            self._is_stranger = False
            self._listener.known(self._address)

    def _bind(self, jid: Jid) -> None:
        self._session = self._listener.gateway.make_session(
            jid, self, account=self._account, token=self._token, address=self._address
        )
        self._listener.bound(jid, self)

    def _take(self, stanza: Element) -> None:
        session = self._session
        if session is None:
            return
        gateway = self._listener.gateway
        own = session.jid.bare
        to = find_jid(stanza.get("to")) if stanza.get("to") else Jid("", own.domain)
        if to is None:
            if stanza.name == "iq" and stanza.get("type") in ("get", "set"):
                self.send(error_of(stanza, StanzaError("jid-malformed", "the address in 'to' can't be used")))
            return
        gateway.take(session, stanza, to)

    # -- time

    def tick(self, now: float) -> None:
        """Look after the connection; called once in a while."""
        if self._is_ending:
            return
        if not self.stream.is_ready and now - self._begun_at > SIGN_IN_S:
            self.end("connection-timeout", f"nobody signed in within {SIGN_IN_S:g} s")
        elif now - self._heard_at > SILENCE_S:
            self.end("connection-timeout", f"nothing came for {SILENCE_S:g} s, not even a blank")
        elif now - self._heard_at > PING_S and self._pinged_at < self._heard_at:
            self._pinged_at = now
            ping = Element("ping", PING)
            domain = self._listener.gateway.domains.main
            self.send(Element("iq", CLIENT, {"type": "get", "id": f"p{secrets.token_hex(4)}", "from": domain}, ping))
        elif self.stream.is_ready and now - self._sent_at > KEEP_ALIVE_S:
            self._write(b" ")

    # -- Outlet

    def write(self, frame: bytes) -> None:
        if not frame or self._is_ending:
            return
        if HINT_WITHOUT_ID in frame and self.stream.jid is not None:
            frame = self._listener.gateway.asked.number(frame, self.stream.jid)
        transport = self._transport
        if transport.is_closing():
            return  # lost a moment ago, which is told us in a later turn; uvloop would log each write until then
        transport.write(frame)
        if transport.get_write_buffer_size() > self._limits.outbox_bytes:
            self.end("resource-constraint", "the connection does not keep up; reconnect and resume")

    def send(self, stanza: Element) -> None:
        self.write(write_element(stanza).encode())

    def unsent_bytes(self) -> int:
        return 0 if self._is_ending else self._transport.get_write_buffer_size()

    async def drained(self) -> None:
        while self.unsent_bytes() > self._limits.catch_up_bytes:
            await self._changed.wait()

    def close(self, code: int, reason: str) -> None:
        """A subscriber of the session has ended; the session goes on."""

    def end(self, condition: str, text: str) -> None:
        if not self._is_ending:
            self.stream.end(condition, text)
            self._handle(self.stream.take_events())

    def _finish(self, error: str) -> None:
        """Close once what is written has left, or after a while without that."""
        self._flush()
        if error and error != "system-shutdown":
            self._listener.say_ended(self._address, error)
        self._is_ending = True
        self._changed.set()
        self._become_known()
        if self._session is not None:
            self._session.leave_all()
        self._transport.close()
        self._loop.call_later(CLOSE_S, self._transport.abort)

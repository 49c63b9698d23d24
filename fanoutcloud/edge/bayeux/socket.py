"""Bayeux over WebSocket: each frame is a JSON list of messages, in both directions."""

import asyncio
from collections import deque

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import InvalidRequest, LimitReached
from fanoutcloud.edge.access.gate import find_token
from fanoutcloud.edge.bayeux.conversation import Answer, Conversation
from fanoutcloud.edge.bayeux.messages import read_messages, write_batch
from fanoutcloud.edge.bayeux.moves import Moves
from fanoutcloud.edge.bayeux.session import BayeuxSession
from fanoutcloud.edge.bayeux.sessions import ABSENT_S, Sessions
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import PlainSink, Receive, Scope, Send, Sink
from fanoutcloud.edge.encoding.frames import unframed, websocket_frame
from fanoutcloud.edge.encoding.wire import Framing
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.edge.transports.plain_websocket import run_plain


class BayeuxSocket:
    """One WebSocket: the outlet of the session whose client last spoke on it, and the owner of the connection."""

    __slots__ = (
        "_connect", "_conversation", "_framing", "_hub", "_idle", "_left", "_left_at", "_session", "_sessions",
        "_timer", "_waiting", "address", "realm", "sink",
    )  # fmt: skip

    outlives_session = True

    def __init__(
        self, hub: Hub, sessions: Sessions, moves: Moves, realm: RealmSnapshot, scope: Scope, *, framing: Framing
    ) -> None:
        self.realm = realm
        self.address = client_address(scope)
        self.sink: Sink
        self._hub = hub
        self._sessions = sessions
        token = find_token(scope)
        self._conversation = Conversation(hub, sessions, moves, realm, address=self.address, token=token)
        self._framing = framing
        self._session: BayeuxSession | None = None
        self._connect: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None
        #: What the client has said and is not handled yet; None: nothing is being handled.
        self._waiting: deque[str] | None = None
        self._left: float = hub.limits.commands_burst
        self._left_at = hub.clock.monotonic()
        #: Faye opens a WebSocket before it knows whether it will be used.
        self._idle = asyncio.get_running_loop().call_later(ABSENT_S, self._close_if_idle)

    # -- what the client says (SinkOwner)

    def on_text(self, text: str) -> None:
        if self._session is not None:
            self._hub.ledger.heard(self._session)
        if not self._is_in_pace():
            self._refuse()
        elif self._waiting is None:
            self._waiting = deque([text])
            self._hub.spawn(self._handle_waiting(self._waiting))
        elif len(self._waiting) < self._hub.limits.max_waiting_commands:
            self._waiting.append(text)
        else:
            self._refuse()

    def on_bytes(self, data: bytes) -> None:
        self.sink.close(1003, "send JSON as text messages")

    def on_violation(self, code: int, reason: str) -> None:
        """`on_lost` follows."""

    def _is_in_pace(self) -> bool:
        limits, now = self._hub.limits, self._hub.clock.monotonic()
        left = self._left + (now - self._left_at) * limits.commands_per_s
        self._left, self._left_at = min(limits.commands_burst, left) - 1, now
        return self._left >= 0

    def _refuse(self) -> None:
        limits = self._hub.limits
        error = LimitReached(
            "connection_commands", f"{limits.commands_per_s:,.0f} messages per second", retry_after_s=1
        )
        self._hub.ledger.limits.hits[error.limit] += 1
        self._hub.tell_refused(self.realm.realm, error, self.address)
        self.close(CloseReason.TOO_MANY_COMMANDS)

    async def _handle_waiting(self, waiting: deque[str]) -> None:
        try:
            while waiting:
                await self._handle(waiting.popleft())
        finally:
            self._waiting = None

    async def _handle(self, text: str) -> None:
        try:
            messages = read_messages(text.encode())
        except InvalidRequest as error:
            self._hub.tell_refused(self.realm.realm, error, self.address)
            self.sink.close(CloseReason.INVALID_REQUEST.code, str(error))
            return
        if not messages:
            self._write([])  # the keep-alive of older clients
            return
        answer = await self._conversation.answer(messages)
        session = answer.session
        if session is None:
            self._write(answer.messages())
            return
        self._use(session)
        if answer.may_wait:
            self._hold(answer)
        else:
            self._write(answer.messages())
        self._sessions.rest(session)

    # -- the session

    def _use(self, session: BayeuxSession) -> None:
        """Send what comes for `session` here, unless it has ended with what was just said."""
        if self._session is not session:
            self._leave_session()
        if not session.is_closed:
            self._session = session
            session.attach(self)

    def _leave_session(self) -> None:
        session, self._session = self._session, None
        self._drop_connect()
        if session is not None:
            session.detach(self)
            self._sessions.rest(session)

    def _hold(self, answer: Answer) -> None:
        assert answer.session is not None, "a connect has one"
        self._answer_connect()
        self._connect = answer
        answer.session.wake = self._answer_connect
        self._timer = asyncio.get_running_loop().call_later(answer.hold_s, self._answer_connect)

    def _answer_connect(self) -> None:
        """Answer the connect that is held; nothing if none is."""
        answer = self._drop_connect()
        if answer is not None and answer.session is not None:
            self._write(answer.messages())
            self._sessions.rest(answer.session)

    def _drop_connect(self) -> Answer | None:
        answer, self._connect = self._connect, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if answer is not None and answer.session is not None and answer.session.wake == self._answer_connect:
            answer.session.wake = None
        return answer

    def _close_if_idle(self) -> None:
        if self._session is None or self._session.is_closed:
            self.sink.close(1000, "nobody shook hands")
        else:
            self._idle = asyncio.get_running_loop().call_later(ABSENT_S, self._close_if_idle)

    # -- what the session asks (Outlet)

    def send(self, messages: list[bytes]) -> None:
        self._write(messages)

    def _write(self, messages: list[bytes]) -> None:
        self.sink.write(self._framing(write_batch(messages)))

    def keep_alive(self) -> None:
        self._write([])

    def unsent_bytes(self) -> int:
        return self.sink.unsent_bytes()

    async def drained(self) -> None:
        await self.sink.drained()

    def close(self, reason: CloseReason) -> None:
        self.sink.close(reason.code, reason.reason)

    # -- what the connection tells (SinkOwner)

    def on_overflow(self) -> None:
        if self._session is not None:
            self._session.close(CloseReason.SLOW)
        self.close(CloseReason.SLOW)

    def on_lost(self) -> None:
        self._idle.cancel()
        self._leave_session()


async def serve_socket(
    hub: Hub, sessions: Sessions, moves: Moves, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one handshake; where our own server holds the connection, return at once."""
    offer = scope.get("extensions", {}).get(EXTENSION)
    socket = BayeuxSocket(hub, sessions, moves, realm, scope, framing=unframed if offer is None else websocket_frame)
    if offer is None:
        socket.sink = sink = PlainSink(socket, hub.limits)
        await run_plain(sink, receive, send, socket, asyncio.sleep(0), limits=hub.limits)
    elif (held := offer.hold(socket)) is not None:
        socket.sink = held

"""From a batch of messages to what is answered: the protocol's steps, done on sessions and the hub."""

from dataclasses import dataclass, field
from typing import Any

from fanoutcloud.core.access import ANONYMOUS, Grant
from fanoutcloud.core.claims import TokenRefused
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError, Forbidden, LimitReached, Unauthorized, Unavailable
from fanoutcloud.core.names import ChannelName
from fanoutcloud.edge.access.gate import NoToken
from fanoutcloud.edge.bayeux.messages import Message, write_error, write_reply
from fanoutcloud.edge.bayeux.moves import Moves
from fanoutcloud.edge.bayeux.protocol import CONNECTION_TYPES, VERSION, Step, read_step, unknown_client
from fanoutcloud.edge.bayeux.session import BayeuxSession
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.client_publishing import ClientItem, name_stranger, publish_for

#: How long a connect is held: proxies in front commonly give up at 60 s.
CONNECT_S = 45.0
#: What a client is told to wait before it tries again, when a limit of the realm turned it away.
LIMITED_S = 5.0


@dataclass(slots=True)
class Answer:
    """What a batch is answered with. With a `connect`, its reply stands at `connect_at`, and may be held."""

    replies: list[bytes] = field(default_factory=list)
    session: BayeuxSession | None = None
    connect: Message | None = None
    connect_at: int = 0
    hold_s: float = 0.0

    @property
    def may_wait(self) -> bool:
        """Whether there is nothing to say yet."""
        session = self.session
        return self.hold_s > 0 and session is not None and not session.is_closed and not session.has_messages

    def messages(self) -> list[bytes]:
        """Return the whole batch, as of now: replies, and after them what has come for the client."""
        if self.connect is None or self.session is None:
            return self.replies
        reply = connect_reply(self.session, self.connect)
        items = self.session.answer_connect(self.connect.id)
        return [*self.replies[: self.connect_at], reply, *self.replies[self.connect_at :], *items]


def connect_reply(session: BayeuxSession, message: Message) -> bytes:
    """Return the answer to a connect; a session that has ended sends the client to shake hands anew, or away.

    One that moved to another edge has the client connect again, wherever: the session comes there.
    """
    if session.is_closed and not session.has_moved:
        is_gone = session.close_reason in (CloseReason.REALM_DELETED, CloseReason.TOKEN_REVOKED)
        advice: dict[str, object] = {"reconnect": "none"} if is_gone else {"reconnect": "handshake", "interval": 0}
        error = write_error(401, "Unknown client", session.client_id)
        return write_reply(message, error=error, advice=advice)
    members: dict[str, Any] = {
        "advice": _advice(is_streamed=message.text("connectionType") == "eventsource")
    }  # Any: values of JSON
    if session.lost:
        members["ext"] = {"lost": ["/" + channel for channel in session.lost]}
        session.lost = []
    return write_reply(message, **members)


def _advice(*, is_streamed: bool = False) -> dict[str, object]:
    """Return when to connect again. Over EventSource a connect brings nothing, so it is asked for rarely."""
    whole_ms = int(CONNECT_S * 1000)
    return {
        "reconnect": "retry",
        "interval": whole_ms if is_streamed else 0,
        "timeout": 0 if is_streamed else whole_ms,
    }


class Conversation:
    """What clients of one realm say from one address."""

    def __init__(
        self,
        hub: Hub,
        sessions: Sessions,
        moves: Moves,
        realm: RealmSnapshot,
        *,
        address: str,
        token: str | None = None,
    ) -> None:
        """`token` is that of the request; a message may bring one of its own, as `ext.auth_token`."""
        self._hub = hub
        self._token = token
        self._sessions = sessions
        self._moves = moves
        self._realm = realm
        self._address = address

    async def answer(self, messages: list[Message]) -> Answer:
        """Do what the messages ask, one after the other. Failures are answered, never raised."""
        answer = Answer()
        for message in messages:
            step = read_step(message)
            if step.kind == "connect":
                await self._begin_connect(step, answer, is_alone=len(messages) == 1)
            else:
                answer.replies.append(await self._do(step, answer))
        return answer

    async def _find(self, step: Step, answer: Answer) -> BayeuxSession | None:
        answer.session = await self._moves.find(self._realm.realm, step.message.client_id)
        return answer.session

    async def _do(self, step: Step, answer: Answer) -> bytes:
        if step.kind == "refused":
            return step.refusal
        try:
            match step.kind:
                case "handshake":
                    return await self._shake_hands(step)
                case "subscribe":
                    return await self._subscribe(step, answer)
                case "publish":
                    return await self._publish(step, answer)
            return await self._end(step, answer)
        except FanoutError as error:
            return self._refuse(step, error)

    def _refuse(self, step: Step, error: FanoutError) -> bytes:
        self._hub.tell_refused(self._realm.realm, error, self._address)
        return write_refusal(step, error)

    async def _grant(self, step: Step) -> tuple[Grant, TokenRefused | None]:
        """Return what the message's token gives, or the request's; or nothing, and why that token does not hold.

        A bad token spoils only what needs one: clients of the old service may send tokens of their own.

        Raises:
            LimitReached, Unavailable: see `AccessGate.admit`.
        """
        token = step.message.extension("auth_token") or self._token
        if token is None:
            return ANONYMOUS, None
        realm = await self._hub.gate.find_realm(self._realm.realm)
        try:
            grant = await self._hub.gate.admit(realm, token, address=self._address)
        except TokenRefused as refused:
            return ANONYMOUS, refused
        self._token = None  # the request's holds until a message brings a newer one
        return grant, None

    async def _shake_hands(self, step: Step) -> bytes:
        grant, refused = await self._grant(step)
        await self._hub.ledger.admit(self._realm, [], self._hub.channels)
        session = self._sessions.open(self._realm.realm, address=self._address, grant=grant)
        members: dict[str, Any] = {} if refused is None else {"ext": {"reason": refused.line}}  # Any: values of JSON
        return write_reply(
            step.message,
            version=VERSION,
            clientId=session.client_id,
            supportedConnectionTypes=CONNECTION_TYPES,
            advice=_advice(),
            **members,
        )

    async def _begin_connect(self, step: Step, answer: Answer, *, is_alone: bool) -> None:
        session = await self._find(step, answer)
        if session is None or answer.connect is not None:
            answer.replies.append(unknown_client(step))
            return
        try:
            with session.in_use():
                await self._renew(session, step)
        except FanoutError as error:
            answer.replies.append(self._refuse(step, error))
            return
        if session.wake is not None:
            session.wake()  # the client has given that connect up, or will now
        session.is_connected = True
        session.hear_connect(step.message.id)
        advised_s = step.message.advised_timeout_s()
        answer.connect, answer.connect_at = step.message, len(answer.replies)
        if is_alone and not step.is_eventsource:
            answer.hold_s = CONNECT_S if advised_s is None else min(CONNECT_S, advised_s)

    async def _renew(self, session: BayeuxSession, step: Step) -> TokenRefused | None:
        """Take the message's token in place of the one before, if it brings one; return why it does not hold."""
        grant, refused = await self._grant(step)
        if grant is ANONYMOUS or grant is session.grant:
            return refused
        if session.grant.user and grant.user != session.grant.user:
            raise Forbidden(
                "the token is of another user than the one before", cure="shake hands for each user", field="token.sub"
            )
        session.grant = grant
        return None

    async def _subscribe(self, step: Step, answer: Answer) -> bytes:
        session = await self._find(step, answer)
        if session is None:
            return unknown_client(step)
        with session.in_use():
            return await self._subscribe_session(step, session)

    async def _subscribe_session(self, step: Step, session: BayeuxSession) -> bytes:
        refused = await self._renew(session, step)
        for channel in step.channels:
            try:
                await self._hub.gate.check_now(session, "subscribe", channel)
            except NoToken as no_token:
                raise refused or no_token from None
        new = [channel for channel in dict.fromkeys(step.channels) if channel not in session.positions]
        if len(session.positions) + len(new) > self._hub.limits.max_channels:
            error = write_error(403, f"More than {self._hub.limits.max_channels} channels", "/" + new[-1])
            return write_reply(step.message, error=error, subscription=_names(step.channels, step.message))
        if new:
            await self._hub.ledger.admit_channels(session.realm, new, self._hub.channels)
            await self._hub.join(session, [(channel, None) for channel in new])
            self._hub.tell_connected(session)
        return write_reply(step.message, subscription=_names(step.channels, step.message))

    async def _publish(self, step: Step, answer: Answer) -> bytes:
        """Publish, if a rule or the client's token allows it; a client need not have shaken hands for that."""
        session = await self._find(step, answer)
        if session is None:
            grant, refused = await self._grant(step)
            author = grant.user or name_stranger(self._realm, self._address)
        else:
            refused = await self._renew(session, step)
            grant, author = session.grant, session.grant.user or session.connection
        realm = await self._hub.gate.find_realm(self._realm.realm)
        item = ClientItem(channel=step.channels[0], data=step.message.members["data"])
        try:
            await publish_for(self._hub, grant, realm, item, author=author)
        except NoToken as no_token:
            raise refused or no_token from None
        return write_reply(step.message)

    async def _end(self, step: Step, answer: Answer) -> bytes:
        """Unsubscribe or disconnect."""
        session = await self._find(step, answer)
        if session is None:
            return unknown_client(step)
        if step.kind == "disconnect":
            self._sessions.end(session)
            return write_reply(step.message)
        for channel in step.channels:
            session.forget(channel)
        return write_reply(step.message, subscription=_names(step.channels, step.message))


def _names(channels: tuple[ChannelName, ...], message: Message) -> object:
    """Return the subscription as the client wrote it: one name, or a list."""
    text = message.text("subscription")
    return text if text is not None else ["/" + channel for channel in channels]


def write_refusal(step: Step, error: FanoutError) -> bytes:
    """Answer with an error of ours: the channel is forbidden where access is denied, else the status as in HTTP.

    `ext.reason` says it in words, since Faye's grammar of errors has no room for them.
    """
    message = step.message
    members: dict[str, object] = {"ext": {"reason": error.line}}
    if step.kind == "handshake":
        members |= {"version": VERSION, "supportedConnectionTypes": CONNECTION_TYPES}
    if step.kind == "subscribe":
        members["subscription"] = _names(step.channels, message)
    if isinstance(error, LimitReached | Unavailable):
        interval_s = max(LIMITED_S, error.retry_after_s)
        if step.kind in ("handshake", "connect"):
            members["advice"] = {"reconnect": "handshake", "interval": int(interval_s * 1000)}
    elif isinstance(error, Unauthorized | Forbidden):
        name = "/" + step.channels[0] if step.channels else message.channel
        return write_reply(message, error=write_error(403, "Forbidden channel", name), **members)
    return write_reply(message, error=write_error(error.http_status, error.line, message.channel), **members)

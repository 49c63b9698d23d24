"""FPP over HTTP: `POST …/subscribe/`, `GET …/feed/`, and both as JSON-P."""

import msgspec

from fanoutcloud.core.access import ANONYMOUS, Grant
from fanoutcloud.core.claims import TokenRefused
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import (
    FanoutError,
    Forbidden,
    LimitReached,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
)
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.edge.connections.holding import HeldAnswer, hold
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.encoding.messages import error_members
from fanoutcloud.edge.fpp.protocol import (
    FppChannel,
    FppRequest,
    make_sid,
    parse_request,
    read_sid,
    write_refused,
    write_subscribed,
)
from fanoutcloud.edge.fpp.subscriber import FppSubscriber
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.bodies import read_body
from fanoutcloud.edge.site.json_p import SCRIPT, JsonPRequest, find_json_p, write_answer
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.edge.site.responses import Headers, headers_for_page, respond

PATHS = ("/fpp", "/pubsub")
MAX_BODY_BYTES = 131_072
_JSON = (b"content-type", b"application/json")
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, x-requested-with"),
    (b"access-control-max-age", b"3600"),
]


class SessionLost(Unauthorized):
    """No session of this realm has this `sid`."""

    def __init__(self) -> None:
        super().__init__("session_lost", "there is no such FPP session", cure="subscribe anew")
        self.field = "sid"


class CursorLost(NotFound):
    """What comes after a cursor is kept no more."""

    code = "cursor_lost"


class _Exchange:
    """One request and how it is answered: as it came, or as a script."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, json_p: JsonPRequest | None) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self._json_p = json_p
        self.method: str = scope["method"] if json_p is None else json_p.method
        self.headers: Headers = [*headers_for_page(scope), SCRIPT if json_p else _JSON]

    async def form(self) -> str:
        """Return the form of the body, or the query of a request without one."""
        if self.method == "GET":
            query: str = self.scope["query_string"].decode("latin-1") if self._json_p is None else self._json_p.query
            return query
        if self._json_p is not None:
            return self._json_p.body.decode()
        return (await read_body(self.receive, limit_bytes=MAX_BODY_BYTES)).decode("latin-1")

    def wrap(self, body: bytes, status: int = 200) -> bytes:
        return body if self._json_p is None else write_answer(self._json_p.callback, status, [_JSON], body)

    def status(self, status: int) -> int:
        """A script is always found."""
        return status if self._json_p is None else 200

    async def answer(self, status: int, body: bytes) -> None:
        await respond(self.send, self.status(status), self.wrap(body, status), headers=[], site_headers=self.headers)


class FppTransport:
    """Serves all that is under `/fpp` and `/pubsub`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @staticmethod
    def is_path(path: str) -> bool:
        """Whether the path under a site, without a slash at its end, is FPP's."""
        return path.startswith(PATHS) and path.rpartition("/")[0] in PATHS

    async def serve(self, path: str, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; where our own server holds it, return before the answer."""
        if scope["method"] == "OPTIONS":
            await respond(send, 200, b"", headers=_PREFLIGHT, site_headers=headers_for_page(scope))
            return
        exchange = _Exchange(scope, receive, send, None)
        try:
            exchange = _Exchange(scope, receive, send, find_json_p(scope))
            await self._serve(path.rpartition("/")[2], realm, exchange)
        except FanoutError as error:
            self._hub.tell_refused(realm.realm, error, client_address(scope))
            # A client stops for good on any 4xx that it does not know; limits pass.
            status = 503 if isinstance(error, LimitReached) else error.http_status
            await exchange.answer(status, msgspec.json.encode({"error": error_members(error)}))

    async def _serve(self, name: str, realm: RealmSnapshot, exchange: _Exchange) -> None:
        methods = {"subscribe": "POST", "feed": "GET"}
        if name not in methods:
            raise NotFound("FPP has nothing here", cure="POST to subscribe/, GET feed/")
        if exchange.method != methods[name]:
            raise MethodNotAllowed(exchange.method, f"{methods[name]}, OPTIONS")
        request = parse_request(await exchange.form())
        if name == "subscribe":
            await self._subscribe(realm, request, exchange)
        else:
            await self._feed(realm, request, exchange)

    # -- subscribe

    async def _subscribe(self, realm: RealmSnapshot, request: FppRequest, exchange: _Exchange) -> None:
        is_known, old_token = read_sid(realm, request.sid)
        token = request.auth_token or (old_token if is_known else None)
        address = client_address(exchange.scope)
        try:
            grant = await self._hub.gate.admit(realm, token, address=address)
        except TokenRefused:
            grant, token = ANONYMOUS, None  # it may be one of the old service, and the channels public
        refused = self._find_refused(realm, grant, request)
        allowed = [channel.name for channel in request.channels if channel not in refused]
        positions = await self._find_positions(realm, allowed, address)
        sid = request.sid if is_known and token == old_token else make_sid(realm, token)
        answers: dict[ChannelName, StreamPosition | int] = {
            channel.name: 403 if channel in refused else positions[channel.name] for channel in request.channels
        }
        await exchange.answer(200, write_subscribed(sid, answers))

    def _find_refused(self, realm: RealmSnapshot, grant: Grant, request: FppRequest) -> list[FppChannel]:
        refused = []
        for channel in request.channels:
            try:
                self._hub.gate.check(grant, realm, "subscribe", channel.name)
            except (Unauthorized, Forbidden):
                refused.append(channel)
        return refused

    async def _find_positions(
        self, realm: RealmSnapshot, channels: list[ChannelName], address: str
    ) -> dict[ChannelName, StreamPosition]:
        """Return where the channels are now; they stay subscribed for a while, as for any subscriber that left."""
        if not channels:
            return {}
        await self._hub.ledger.admit(realm, channels, self._hub.channels)
        subscriber = FppSubscriber(realm.realm, address=address)
        self._hub.register(subscriber)
        try:
            await self._hub.join(subscriber, [(channel, None) for channel in channels])
            return dict(subscriber.positions)
        finally:
            self._hub.unregister(subscriber)

    # -- feed

    async def _feed(self, realm: RealmSnapshot, request: FppRequest, exchange: _Exchange) -> None:
        is_known, token = read_sid(realm, request.sid)
        if not is_known:
            raise SessionLost
        address = client_address(exchange.scope)
        grant = await self._hub.gate.admit(realm, token, address=address)
        if refused := self._find_refused(realm, grant, request):
            await exchange.answer(200, write_refused(refused))
            return
        wanted = [(channel.name, channel.find_position()) for channel in request.channels]
        if any(channel.since and channel.find_position() is None for channel in request.channels):
            raise CursorLost("this is no cursor of this server", cure="subscribe anew", field="ci")
        await self._hub.ledger.admit(realm, [name for name, _ in wanted], self._hub.channels)
        subscriber = FppSubscriber(realm.realm, address=address)
        subscriber.grant = grant
        await self._answer_feed(subscriber, wanted, request, exchange)

    async def _answer_feed(
        self,
        subscriber: FppSubscriber,
        wanted: list[tuple[ChannelName, StreamPosition | None]],
        request: FppRequest,
        exchange: _Exchange,
    ) -> None:
        def make_body() -> bytes:
            held.is_last = subscriber.is_last
            body, status = _write_answer(subscriber)
            held.status = exchange.status(status)
            return exchange.wrap(body, status)

        held = HeldAnswer(make_body, exchange.headers, on_over=lambda over: self._hub.unregister(subscriber))
        subscriber.wake = held.become_ready
        self._hub.register(subscriber)
        is_joined = False
        try:
            await self._hub.join(subscriber, wanted)
            is_joined = True
        finally:
            if not is_joined:
                self._hub.unregister(subscriber)
        self._hub.tell_connected(subscriber)
        limit_s = self._hub.limits.max_poll_s
        timeout_s = limit_s if request.timeout_s is None else min(limit_s, request.timeout_s)
        await hold(held, exchange.scope, exchange.receive, exchange.send, timeout_s=timeout_s)


def _write_answer(subscriber: FppSubscriber) -> tuple[bytes, int]:
    if subscriber.is_lost:
        error: FanoutError = CursorLost("what came after the cursor is kept no more", cure="subscribe anew")
    elif subscriber.close_reason in (CloseReason.TOKEN_EXPIRED, CloseReason.TOKEN_REVOKED):
        error = SessionLost()
    else:
        return subscriber.answer(), 200
    return msgspec.json.encode({"error": error_members(error)}), error.http_status

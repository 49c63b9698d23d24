"""A realm's site: from host and path to a transport. Mounted by the composition, before Django."""

from collections.abc import Awaitable, Callable
from functools import partial

from fanoutcloud.broker.roll_call import RollCall
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmDirectory, RealmSnapshot
from fanoutcloud.core.errors import (
    FanoutError,
    LimitReached,
    MethodNotAllowed,
    NotFound,
)
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.pacing import RefusalPacer
from fanoutcloud.core.reads import DeliveryReads
from fanoutcloud.core.routing import is_own_path
from fanoutcloud.edge.bayeux.transport import BayeuxTransport
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.fpp.transport import FppTransport
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.presence.presence import Presence
from fanoutcloud.edge.reporting.census import TakeSession
from fanoutcloud.edge.site.client_library import ClientLibrary
from fanoutcloud.edge.site.client_publishing import ClientPublishTransport
from fanoutcloud.edge.site.elsewhere import Elsewhere
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.edge.site.responses import respond_error, respond_preflight, respond_robots
from fanoutcloud.edge.site.sites import Site
from fanoutcloud.edge.transports.history import HistoryTransport
from fanoutcloud.edge.transports.http_stream import HttpStreamTransport
from fanoutcloud.edge.transports.long_poll import LongPollTransport
from fanoutcloud.edge.transports.presence import PresenceTransport
from fanoutcloud.edge.transports.sse import SseTransport
from fanoutcloud.edge.transports.streams import StreamTransport
from fanoutcloud.edge.transports.websocket import WebSocketTransport, refuse_websocket

Serve = Callable[[RealmSnapshot, Scope, Receive, Send], Awaitable[None]]
AcceptAtOnce = Callable[[RealmSnapshot, Scope], bool]

WEBSOCKET_PATH = "/fanout/ws"
BAYEUX_PATH = "/bayeux"
ROBOTS_PATH = "/robots.txt"
#: HTTP status of a refusal → how a WebSocket that gets it is closed.
_CLOSE_REASONS = {
    400: CloseReason.INVALID_REQUEST,
    401: CloseReason.UNAUTHORIZED,
    403: CloseReason.FORBIDDEN,
    404: CloseReason.UNKNOWN_REALM,
    429: CloseReason.OVER_LIMIT,
    503: CloseReason.UNAVAILABLE,
}


class UnknownRealm(NotFound):
    """No realm has this id."""

    code = "unknown_realm"
    default_cure = "check the realm's id on the dashboard"


class EdgeApp:
    """Serves the sites of all realms. Knows nothing of cookies: the composition takes them away."""

    def __init__(
        self,
        *,
        hub: Hub,
        directory: RealmDirectory,
        failures: FailuresByAddress | None = None,
        pacer: RefusalPacer | None = None,
        elsewhere: Elsewhere | None = None,
        presence: Presence | None = None,
        roll_call: RollCall | None = None,
        reads: DeliveryReads | None = None,
    ) -> None:
        """`elsewhere` serves what is not the realm's own; without it, nothing does.

        With a `roll_call`, Bayeux clients may come to any edge, if its census gives sessions by `give_session`.
        """
        self._hub = hub
        self._elsewhere = elsewhere
        self._directory = directory
        self._failures = failures or FailuresByAddress(hub.clock)
        self._pacer = pacer or RefusalPacer(hub.clock)
        self._websocket = WebSocketTransport(hub)
        streams: dict[str, StreamTransport] = {
            "/fanout/sse": SseTransport(hub),
            "/fanout/stream": HttpStreamTransport(hub),
        }
        self._at_once: dict[tuple[str, str], AcceptAtOnce] = {
            ("websocket", WEBSOCKET_PATH): self._websocket.accept_at_once,
            **{("http", path): stream.accept_at_once for path, stream in streams.items()},
        }
        subscribing: dict[str, Serve] = {path: stream.serve for path, stream in streams.items()}
        subscribing["/fanout/poll"] = LongPollTransport(hub).serve
        self._http = subscribing | _serve_briefly(hub, presence, reads)
        self._posts: dict[str, Serve] = {"/fanout/publish": ClientPublishTransport(hub).serve}
        self._brief = {*self._http, *self._posts} - set(subscribing)  # requests that are no subscribers
        self._bayeux = BayeuxTransport(hub, roll_call)
        self._protocols = (self._bayeux, FppTransport(hub))  # they answer OPTIONS and errors in ways of their own

    def give_session(self, asked: TakeSession) -> bytes:
        """Answer an edge that asks for a Bayeux client's session."""
        return self._bayeux.moves.give(asked)

    def accept_at_once(self, site: Site, scope: Scope) -> bool:
        """Hold a subscriber of `site` if nothing has to be waited for; False: nothing was done, `serve` it.

        For requests by GET to our own server. Who is refused is left to `serve`, which tells, counts and paces it.
        """
        accept = self._at_once.get((scope["type"], site.path.rstrip("/")))
        snapshot = None if accept is None else self._directory.find_cached(site.realm)
        if accept is None or snapshot is None:
            return False
        try:
            return accept(snapshot, scope)
        except FanoutError:
            return False

    async def serve(self, site: Site, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket for `site`."""
        own_path = await self._find_own_path(site, scope, receive, send)
        if own_path is None:
            return
        path = own_path.rstrip("/")
        if scope["type"] == "websocket":
            await self._serve_websocket(site.realm, path, scope, receive, send)
        else:
            await self._serve_http(site.realm, path, scope, receive, send)

    async def _find_own_path(self, site: Site, scope: Scope, receive: Receive, send: Send) -> str | None:
        """Return the path that is for our own transports; None: the request has been answered."""
        if self._elsewhere is None or is_own_path(site.path):
            return site.path
        try:
            snapshot = await self._find(site.realm, scope)
        except FanoutError as error:
            self._tell_refused(site.realm, scope, error)
            await self._pace(site.realm, error)
            await refuse(scope, receive, send, error)
            return None
        own_path = self._elsewhere.find_own_path(site, snapshot, scope)
        if own_path is None:
            await self._elsewhere.serve(site, snapshot, scope, receive, send)
        return own_path

    async def _serve_websocket(self, realm: RealmId, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if path == BAYEUX_PATH:
                await self._bayeux.serve(path, await self._find(realm, scope), scope, receive, send)
                return
            if path != WEBSOCKET_PATH:
                raise _no_such_path(path)
            await self._websocket.serve(await self._find(realm, scope), scope, receive, send)
        except FanoutError as error:
            self._tell_refused(realm, scope, error)
            await self._pace(realm, error)
            await refuse_websocket(scope, receive, send, error, _CLOSE_REASONS[error.http_status])

    async def _serve_http(self, realm: RealmId, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        protocol = next((one for one in self._protocols if one.is_path(path)), None)
        if scope["method"] == "OPTIONS" and protocol is None:
            await respond_preflight(send)
            return
        try:
            if protocol is not None:
                await protocol.serve(path, await self._find(realm, scope), scope, receive, send)
                if protocol is self._bayeux:
                    self._hub.ledger.requested(realm, 0, has_minutes=False)  # its session has them
                return
            serve, method = (self._posts[path], "POST") if path in self._posts else (self._http.get(path), "GET")
            snapshot = await self._find(realm, scope)
            if serve is None:
                raise _no_such_path(path)
            if scope["method"] != method:
                raise MethodNotAllowed(scope["method"], f"{method}, OPTIONS")
            await serve(snapshot, scope, receive, send)
            if path in self._brief:
                self._hub.ledger.requested(realm, 0)
        except FanoutError as error:
            self._tell_refused(realm, scope, error)
            await self._pace(realm, error)
            await respond_error(send, error)

    async def _find(self, realm: RealmId, scope: Scope) -> RealmSnapshot:
        if (cached := self._directory.find_cached(realm)) is not None:
            return cached
        address = client_address(scope)
        self._failures.check(address, "")  # whoever tries realms must not cost a query each
        snapshot = await self._directory.find_realm(realm)
        if snapshot is None:
            self._failures.note(address, "")
            raise UnknownRealm(f"there is no realm {realm}")
        return snapshot

    async def _pace(self, realm: RealmId, error: FanoutError) -> None:
        if isinstance(error, LimitReached):
            await self._pacer.pace(realm)

    def _tell_refused(self, realm: RealmId, scope: Scope, error: FanoutError) -> None:
        self._hub.tell_refused(realm, error, client_address(scope))


async def refuse(scope: Scope, receive: Receive, send: Send, error: FanoutError) -> None:
    """Answer an HTTP request or WebSocket that is for no site."""
    if scope["type"] == "websocket":
        await refuse_websocket(scope, receive, send, error, _CLOSE_REASONS[error.http_status])
    else:
        await respond_error(send, error)


def _serve_briefly(hub: Hub, presence: Presence | None, reads: DeliveryReads | None) -> dict[str, Serve]:
    """Return what answers by GET at once, by path."""
    library = ClientLibrary()
    served: dict[str, Serve] = {path: partial(library.serve, path) for path in library.PATHS}
    served[ROBOTS_PATH] = respond_robots
    if presence is not None:
        served["/fanout/presence"] = PresenceTransport(hub, presence).serve
    if reads is not None:
        served["/fanout/history"] = HistoryTransport(hub, reads).serve
    return served


def _no_such_path(path: str) -> NotFound:
    return NotFound(
        f"this realm's site has nothing at {path[:100] or '/'}",
        cure="subscribe at /fanout/ws, /fanout/sse, /fanout/stream or /fanout/poll",
    )

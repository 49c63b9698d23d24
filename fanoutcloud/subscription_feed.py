"""`GET /realm/{realm}/subscriptions/items/` and `…/stream/`: which channels have subscribers (docs/api/rest-compat.md).

Put together here, since it takes the credentials of `publishing` and the hub of the edge.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from django.db import DatabaseError

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError, InvalidRequest, MethodNotAllowed, Unavailable
from fanoutcloud.core.names import RealmId, find_realm_id
from fanoutcloud.core.reads import DeliveryReads
from fanoutcloud.core.streams import PositionLost
from fanoutcloud.core.subscription_feed import (
    FEED_CHANNEL,
    MAX_FEED_PAGE,
    CursorTooOld,
    FeedCursor,
    parse_feed_cursor,
    write_change,
    write_page,
)
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.edge.transports.subscription_stream import serve_subscription_stream
from publishing.answers import error_answer, preflight_headers
from publishing.authentication import Authenticator

METHODS = "GET, OPTIONS"
_PATH = re.compile(rb"/realm/([^/]+)/subscriptions/(items|stream)/?\Z")

#: Has the realm's changes kept from now on; blocks no loop.
Follow = Callable[[RealmId], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FeedTarget:
    """What a path of the feed names."""

    realm: RealmId
    is_stream: bool


def find_feed_target(raw_path: bytes) -> FeedTarget | None:
    """Return what the path names, or None if it is none of the feed's."""
    match = _PATH.match(raw_path) if raw_path.startswith(b"/realm/") else None
    realm = find_realm_id(match[1].decode("latin-1")) if match else None
    return FeedTarget(realm, match[2] == b"stream") if match and realm is not None else None


class SubscriptionFeed:
    """Answers requests of the feed."""

    def __init__(
        self, *, authenticator: Authenticator, hub: Hub, broker: Broker, reads: DeliveryReads, follow: Follow
    ) -> None:
        self._authenticator = authenticator
        self._hub = hub
        self._broker = broker
        self._reads = reads
        self._follow = follow

    async def serve(self, target: FeedTarget, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a stream is held where the server can do that."""
        if scope["method"] == "OPTIONS":
            await _respond(send, 204, preflight_headers(METHODS), b"")
            return
        try:
            if scope["method"] != "GET":
                raise MethodNotAllowed(scope["method"], METHODS)
            headers = dict(scope["headers"])
            realm, _ = await self._authenticator.authenticate(
                target.realm, headers.get(b"authorization"), address=client_address(scope)
            )
            await self._begin(realm)
            if target.is_stream:
                await serve_subscription_stream(self._hub, realm, scope, receive, send)
                return
            body = await self._read_items(realm.realm, _since(scope))
        except FanoutError as error:
            await _respond(send, error.http_status, *error_answer(error, as_json=False))
        else:
            headers_out = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await _respond(send, 200, [*headers_out, (b"cache-control", b"no-store")], body)

    async def _begin(self, realm: RealmSnapshot) -> None:
        """Have changes kept, if this is the first time that anybody asks for them."""
        if realm.has_subscription_feed:
            return
        try:
            await self._follow(realm.realm)
        except DatabaseError:
            raise Unavailable("the feed can't begin at the moment") from None
        await self._reads.channels(realm.realm, limit=1)  # every edge has heard of it when it answers this

    async def _read_items(self, realm: RealmId, since: str | None) -> bytes:
        if since is None:
            [top] = await self._broker.positions([(realm, FEED_CHANNEL)])
            return await self._list(realm, FeedCursor(top, ""))
        cursor = parse_feed_cursor(since)
        if cursor.after is not None:
            return await self._list(realm, cursor)
        return await self._list_changes(realm, cursor)

    async def _list(self, realm: RealmId, cursor: FeedCursor) -> bytes:
        """List channels that have subscribers now; changes since the list began follow on later pages."""
        page = await self._reads.channels(realm, cursor=cursor.after or None, limit=MAX_FEED_PAGE, with_left=True)
        names = [count.channel for count in page.channels]
        if not names:
            return await self._list_changes(realm, FeedCursor(cursor.position))
        following = FeedCursor(cursor.position, page.cursor) if page.cursor else FeedCursor(cursor.position)
        return write_page([write_change(name, "subscribed") for name in names], following)

    async def _list_changes(self, realm: RealmId, cursor: FeedCursor) -> bytes:
        try:
            page = await self._broker.read_since(realm, FEED_CHANNEL, cursor.position, limit=MAX_FEED_PAGE)
        except PositionLost:
            raise CursorTooOld("changes after this cursor are kept no more", field="since") from None
        last = page[-1].position if page else cursor.position
        return write_page([stored.item.json_object or b"{}" for stored in page], FeedCursor(last))


def _since(scope: Scope) -> str | None:
    query: str = scope["query_string"].decode("latin-1")
    try:
        values = parse_qs(query, max_num_fields=20).get("since")
    except ValueError:
        raise InvalidRequest("has too many members", cure="send since alone", field="query") from None
    if not values:
        return None
    # A `+` that was not escaped, which Base64 may hold, arrives as a blank.
    return values[-1].removeprefix("cursor:").replace(" ", "+")


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""What a channel keeps, for clients: `GET /fanout/history`, page by page (docs/api/subscribe.md)."""

from datetime import UTC, datetime

import msgspec

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.reads import MAX_HISTORY_PAGE, DeliveryReads, KeptItem
from fanoutcloud.core.streams import StoredItem, StreamPosition, parse_position
from fanoutcloud.edge.access.gate import read_token
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.encoding.messages import item_message
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.requests import client_address, parse_subscribe, read_limit
from fanoutcloud.edge.site.responses import respond

_JSON = (b"content-type", b"application/json")


class HistoryTransport:
    """Answers with kept items: newest first, or those after a position, oldest first."""

    def __init__(self, hub: Hub, reads: DeliveryReads) -> None:
        self._hub = hub
        self._reads = reads

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            InvalidRequest, Unauthorized, Forbidden, Unavailable: before anything was sent.
        """
        request = parse_subscribe(scope, max_channels=1)
        [channel] = request.channels
        grant = await self._hub.gate.admit(realm, read_token(scope, request.options), address=client_address(scope))
        self._hub.gate.check(grant, realm, "history", channel)
        page = await self._reads.history(
            realm.realm,
            channel,
            before=_read_position(request.options, "before"),
            after=_read_position(request.options, "after"),
            limit=read_limit(request.options, most=MAX_HISTORY_PAGE, of="items"),
        )
        answer = {
            "items": [msgspec.Raw(_describe(kept)) for kept in page.items],
            "position": None if page.position is None else str(page.position),
            "has_more": page.has_more,
            "lost": page.lost,
        }
        await respond(send, 200, msgspec.json.encode(answer) + b"\n", headers=[_JSON])


def _describe(kept: KeptItem) -> bytes:
    """Return the message of the item as subscribers had it, and when it was published."""
    message = item_message(StoredItem(kept.position, kept.item), kept.item.first_content)
    published_at = datetime.fromtimestamp(kept.published_at, UTC).isoformat().replace("+00:00", "Z")
    return b'%b,"published_at":"%b"}' % (message.removesuffix(b"}"), published_at.encode())


def _read_position(options: dict[str, str], name: str) -> StreamPosition | None:
    return parse_position(options[name], field=name) if options.get(name) else None

"""What subscribers publish: over their WebSocket, or with `POST /fanout/publish` (docs/api/subscribe.md)."""

import asyncio
import hmac
import secrets

import msgspec

from fanoutcloud.core.access import Grant
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import BodyTooLarge, InvalidRequest, ItemTooLarge, Unavailable
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import parse_channel_name
from fanoutcloud.edge.access.gate import read_token
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.encoding import messages
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.requests import client_address, parse_subscribe
from fanoutcloud.edge.site.responses import respond

#: The same for a client's name of an item as for a publisher's.
MAX_ID_BYTES = 256
BODY_TIMEOUT_S = 10.0
_EXAMPLE = '{"type":"publish","channel":"hello","data":{"text":"hi"}}'


class ClientItem(msgspec.Struct):
    """What a client wants to publish; `channel` is still text, `data` JSON text."""

    channel: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    id: str | None = None


_decoder = msgspec.json.Decoder(ClientItem)


async def publish_for(
    hub: Hub, grant: Grant, realm: RealmSnapshot, wanted: ClientItem, *, author: str, via: str = "client"
) -> bytes:
    """Publish a client's item, with its user on it; return the message that says where it went.

    `author` is who repeats an item with the same `id`: the user, or the connection or `name_stranger` of somebody
    without a token. Ids of clients have it in front, so that nobody's item can be taken for another's, or for one of
    the realm's servers. `via` is one of `VIA_OF_CLIENTS`.

    Raises:
        InvalidRequest: channel, data or id is wrong.
        NoToken, NotAllowed: the client may not publish there.
        ItemTooLarge, LimitReached: the realm, or the channel's rule, does not allow it.
        Unavailable: the broker does not answer; repeat it with the same id.
    """
    channel = parse_channel_name(wanted.channel)
    if wanted.data is msgspec.UNSET:
        raise InvalidRequest("no data is in it", cure=f"send such as {_EXAMPLE}", field="data")
    if wanted.id is not None and not 0 < len(wanted.id.encode(errors="replace")) <= MAX_ID_BYTES:
        raise InvalidRequest("can't be used", cure=f"use 1 to {MAX_ID_BYTES} bytes", field="id")
    hub.gate.check(grant, realm, "publish", channel)
    if hub.publisher is None:
        raise Unavailable("this process does not publish")
    item = Item(
        channel,
        id=None if wanted.id is None else f"{author}:{wanted.id}",
        json_object=msgspec.json.format(bytes(wanted.data), indent=-1),
        user=grant.user or None,
    )
    try:
        [result] = await hub.publisher.publish_items(realm, [item], via=via)
    except ItemTooLarge as error:
        error.field = "data"
        raise
    position = str(result.position) if result.position else None
    return messages.published_message(channel, position, wanted.id)


def name_stranger(realm: RealmSnapshot, address: str) -> str:
    """Return an author's name for somebody without a token: the same on all edges, and it does not tell the address."""
    keys = sorted(key.secret for key in realm.keys)
    if not keys:
        return secrets.token_hex(8)
    return hmac.digest(keys[0], f"stranger at {address}".encode(), "sha256").hex()[:16]


class ClientPublishTransport:
    """`POST /fanout/publish`, for clients whose transport goes one way."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            BodyTooLarge, InvalidRequest: the body is no item.
            TokenRefused, and what `publish_for` raises.
        """
        options = parse_subscribe(scope, max_channels=0, needs_channel=False).options
        body = await _read_body(receive, limit_bytes=self._hub.limits.max_message_bytes)
        try:
            wanted = _decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            raise InvalidRequest("is no item", cure='send {"channel":"hello","data":1}', field="body") from None
        address = client_address(scope)
        grant = await self._hub.gate.admit(realm, read_token(scope, options), address=address)
        answer = await publish_for(self._hub, grant, realm, wanted, author=grant.user or name_stranger(realm, address))
        await respond(send, 200, answer + b"\n", headers=[(b"content-type", b"application/json")])


async def _read_body(receive: Receive, *, limit_bytes: int) -> bytes:
    """Return the whole body; it has to come within `BODY_TIMEOUT_S`."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise InvalidRequest("the client left before its end", field="body")
                body += message.get("body", b"")
                if len(body) > limit_bytes:
                    raise BodyTooLarge(limit_bytes)
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise InvalidRequest(
            f"did not come within {BODY_TIMEOUT_S:g} s", cure="send it at once", field="body"
        ) from None

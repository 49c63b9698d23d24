"""What is published: an item and its formats, as they are kept and carried between processes.

Parsed from the wire by `fanoutcloud.core.formats`; packed for the broker by `pack_item`. JSON that a publisher sent is
carried as its bytes and never decoded again: numbers keep their digits, objects their order.
"""

from typing import Literal

import msgspec

from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.tags import TagValue

#: What a format asks for: its content is sent; the origin has news, ask it; the connection is to end; the origin wants
#: to be asked by a WebSocket over HTTP. An action that means nothing to a format is accepted and has no effect.
Action = Literal["send", "hint", "close", "refresh"]
RequestMethod = Literal["POST", "PUT", "PATCH", "DELETE", "GET"]


class HttpStream(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Format `http-stream`: adds `content` to an open response, or ends it."""

    content: bytes = b""
    action: Action = "send"
    content_filters: tuple[str, ...] | None = None


class HttpResponse(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Format `http-response`: answers a held request. `body_patch` is JSON text: a list of JSON Patch operations."""

    code: int = 200
    reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    body_patch: bytes | None = None
    action: Action = "send"
    content_filters: tuple[str, ...] | None = None


class WsMessage(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Format `ws-message`: one WebSocket message, or a close with `code` and `reason`."""

    content: bytes = b""
    type: Literal["text", "binary", "ping", "pong"] = "text"
    action: Action = "send"
    code: int | None = None
    reason: str = ""
    content_filters: tuple[str, ...] | None = None


class HttpRequest(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Format `http-request`: what a webhook is called with, as it is."""

    method: RequestMethod = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class XmppStanza(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Format `xmpp-stanza`: a checked stanza without addresses; `rest` is what follows on its name.

    `to` is the one receiver that it is for; empty: all.
    """

    name: str
    rest: bytes
    resource: str = ""  # of the address that it is from
    to: str = ""


class Item(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One published unit. `json_object` is JSON text on one line."""

    channel: ChannelName
    id: str | None = None
    prev_id: str | None = None
    json_object: bytes | None = None
    http_stream: HttpStream | None = None
    http_response: HttpResponse | None = None
    ws_message: WsMessage | None = None
    meta: dict[str, str] = msgspec.field(default_factory=dict)
    no_seq: bool = False
    tags: dict[str, TagValue] = msgspec.field(default_factory=dict)
    user: str | None = None  # the client that published it, by its token
    http_request: HttpRequest | None = None
    xmpp_stanza: XmppStanza | None = None

    @property
    def formats(self) -> list[str]:
        """Names of the formats that the item carries, in the spelling of the wire."""
        carried = {
            "json-object": self.json_object,
            "http-stream": self.http_stream,
            "http-response": self.http_response,
            "ws-message": self.ws_message,
            "xmpp-stanza": self.xmpp_stanza,
            "http-request": self.http_request,
        }
        return [name for name, value in carried.items() if value is not None]

    @property
    def size_bytes(self) -> int:
        """Bytes of content over all formats."""
        size = 0 if self.json_object is None else len(self.json_object)
        others = (self.http_stream, self.http_response, self.ws_message, self.http_request, self.xmpp_stanza)
        if others == (None, None, None, None, None):
            return size  # as most are: asked for with each publish and each broadcast, so the list is not made
        return sum(map(len, self._contents()))

    @property
    def first_content(self) -> bytes:
        """The content of the first format that has any: what a person is shown of the item."""
        return next(iter(self._contents()), b"")

    def _contents(self) -> list[bytes]:
        stream, response, message = self.http_stream, self.http_response, self.ws_message
        request = self.http_request
        contents = [
            self.json_object,
            None if stream is None else stream.content,
            None if response is None else response.body_patch if response.body is None else response.body,
            None if message is None else message.content,
            None if self.xmpp_stanza is None else self.xmpp_stanza.rest,
            None if request is None else request.body,
        ]
        return [content for content in contents if content is not None]


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(Item)


def pack_item(item: Item) -> bytes:
    """Return `item` as bytes for the broker (MessagePack)."""
    return _packer.encode(item)


def unpack_item(packed: bytes) -> Item:
    """Return the item that `pack_item` packed."""
    return _unpacker.decode(packed)

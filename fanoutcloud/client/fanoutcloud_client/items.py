"""What is published: an item of a channel, in one or more formats (docs/api/publish.md)."""

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.json_text import encode

JsonObject = dict[str, Any]  # any JSON, by member name

#: Of one request; more are sent as several, in order.
MAX_ITEMS_PER_REQUEST = 1000


class _Nothing:
    """Stands for "no JSON": `None` is JSON's null, which can be published."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `data` is any JSON, and reaches every transport; `formats` says more for some of them.

    With an `id`, the item is delivered once however often it is sent within 60 seconds. `prev_id` is the `id` of the
    item before: this one waits up to 5 seconds for it. `tags` are what subscribers filter by.
    """

    channel: str
    data: Any = NOTHING  # any JSON
    id: str | None = None
    prev_id: str | None = None
    formats: Mapping[str, JsonObject] | None = None
    tags: Mapping[str, str | float | bool] | None = None
    meta: Mapping[str, str] | None = None
    no_seq: bool = False

    def with_id(self) -> "Item":
        """Return the item with an id: its own, or a random one, so that it can be sent again."""
        return self if self.id is not None else replace(self, id=secrets.token_urlsafe(12))

    def as_json(self) -> JsonObject:
        """Return the item as it is sent.

        Raises:
            InvalidRequest: it has neither `data` nor `formats`.
        """
        formats: JsonObject = dict(self.formats or {})
        if not isinstance(self.data, _Nothing):
            formats["json-object"] = self.data
        if not formats:
            raise InvalidRequest(
                "the item has no format", cure='give data, or formats such as {"http-stream": …}', field="formats"
            )
        told: JsonObject = {"channel": self.channel, "formats": formats}
        optional = {"id": self.id, "prev-id": self.prev_id, "tags": self.tags, "meta": self.meta}
        told |= {name: value for name, value in optional.items() if value is not None}
        return told | {"no-seq": True} if self.no_seq else told


def http_stream(content: str | bytes) -> dict[str, JsonObject]:
    """Return the format that streams and SSE get in place of JSON."""
    return {"http-stream": _content(content)}


def ws_message(content: str | bytes) -> dict[str, JsonObject]:
    """Return the format that WebSockets get in place of JSON: a text message, or a binary one for bytes."""
    return {"ws-message": _content(content) | ({"type": "binary"} if isinstance(content, bytes) else {})}


def http_response(
    body: str | bytes, *, code: int = 200, headers: Mapping[str, str] | None = None
) -> dict[str, JsonObject]:
    """Return the format that answers held requests."""
    member = {"body-bin": _base64(body)} if isinstance(body, bytes) else {"body": body}
    return {"http-response": {"code": code, **member, **({"headers": dict(headers)} if headers else {})}}


def batches(items: Iterable[Item], *, max_bytes: int) -> Iterable[tuple[list[Item], bytes]]:
    """Yield bodies of requests, in order, each with its items: 1,000 items and `max_bytes` at most.

    An item that is larger than that goes alone; the server says then what it allows.
    """
    batch: list[Item] = []
    texts: list[bytes] = []
    size = 0
    for item in items:
        text = encode(item.as_json())
        if batch and (len(batch) == MAX_ITEMS_PER_REQUEST or size + len(text) > max_bytes):
            yield batch, _body(texts)
            batch, texts, size = [], [], 0
        batch.append(item)
        texts.append(text)
        size += len(text) + 1
    if batch:
        yield batch, _body(texts)


def _body(texts: list[bytes]) -> bytes:
    return b'{"items":[' + b",".join(texts) + b"]}"


def _content(content: str | bytes) -> JsonObject:
    return {"content-bin": _base64(content)} if isinstance(content, bytes) else {"content": content}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()

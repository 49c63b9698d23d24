"""Publishing: with a realm's key at the fast address, with an API token at the management API, with a token as a user.

Each item gets an id where it has none, so that a publish whose answer was lost is sent again and delivered once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fanoutcloud_client.calls import Call, Request, ask, json_request
from fanoutcloud_client.errors import InvalidRequest, Unauthorized
from fanoutcloud_client.items import NOTHING, Item, batches
from fanoutcloud_client.service import Service, token_headers

#: The server's bounds are 1,000,000 and 262,144 bytes.
_KEY_BODY_BYTES = 900_000
_API_BODY_BYTES = 240_000


@dataclass(frozen=True, slots=True)
class Published:
    """What became of an item. `outcome` and `position` are None where the address does not tell them: with a key."""

    channel: str
    id: str
    outcome: str | None = None
    position: str | None = None


def publish_items(service: Service, items: Iterable[Item]) -> Call[list[Published]]:
    """Publish items in order, in as many requests as they need.

    Raises:
        InvalidRequest: an item is wrong. Those of the same request are not stored; those of earlier ones are.
        FanoutError: the server refused, or did not answer for the service's `patience_s`.
    """
    published: list[Published] = []
    if not service.credential:
        raise Unauthorized(
            "publishing needs a credential", code="no_credential", cure="give the realm's key, or an API token"
        )
    limit = _KEY_BODY_BYTES if service.key else _API_BODY_BYTES
    for batch, body in batches((item.with_id() for item in items), max_bytes=limit):
        answer = yield from ask(_request(service, body), patience_s=service.patience_s)
        told = answer.json().get("items", [])
        for index, item in enumerate(batch):
            one = told[index] if index < len(told) else {}
            published.append(Published(item.channel, item.id or "", one.get("outcome"), one.get("position")))
    return published


def publish_as_user(service: Service, token: str, item: Item) -> Call[Published]:
    """Publish JSON with a subscriber token, as a page does; the item carries the token's user.

    Raises:
        InvalidRequest: the item is more than a channel, `data` and an `id`.
        FanoutError: as `publish_items`.
    """
    if item.data is NOTHING or item.formats or item.tags or item.meta or item.prev_id:
        raise InvalidRequest(
            "with a subscriber token only data can be published", cure="give channel, data and id, or use a key"
        )
    item = item.with_id()
    url = service.site_address("/fanout/publish")
    message: dict[str, Any] = {"channel": item.channel, "data": item.data, "id": item.id}
    answer = yield from ask(json_request("POST", url, token_headers(token), message), patience_s=service.patience_s)
    return Published(item.channel, item.id or "", "published", answer.json().get("position"))


def _request(service: Service, body: bytes) -> Request:
    url = f"{service.url}/realm/{service.need_realm()}/publish/" if service.key else service.realm_address("items")
    return Request("POST", url, [*service.headers(), ("Content-Type", "application/json")], body)

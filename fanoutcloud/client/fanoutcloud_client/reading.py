"""Reading and managing over the API: history, presence, realms, and any other of its addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanoutcloud_client.calls import Answer, Call, Request, ask, ask_once, json_request
from fanoutcloud_client.events import ReceivedItem, read_item
from fanoutcloud_client.items import JsonObject
from fanoutcloud_client.service import Service, token_headers

_MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class History:
    """A page of what a channel keeps. `lost` says why items before these are missing, if some are."""

    items: list[ReceivedItem]
    position: str | None
    has_more: bool
    lost: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """A user who is on a channel, with what the token's `info` says of the connection."""

    user: str
    info: Any = None  # any JSON


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is on a channel: users, however many connections each has, and connections without a user."""

    members: list[Member]
    count: int
    anonymous: int


def read_history(
    service: Service, channel: str, *, before: str | None = None, after: str | None = None, limit: int | None = None
) -> Call[History]:
    """Return kept items: the newest first, or `before` a position; the oldest first, `after` one."""
    wanted = {"channel": channel, "before": before, "after": after, "limit": limit}
    answer = yield from ask(_get(service, "history", wanted), patience_s=service.patience_s)
    told = answer.json()
    items = [read_item({"channel": channel, **one}) for one in told.get("items", [])]
    return History(items, told.get("position"), bool(told.get("has_more")), told.get("lost"))


def read_presence(service: Service, channel: str, *, token: str | None = None) -> Call[Presence]:
    """Return everybody who is on the channel, over all pages; with a subscriber token, as a page does."""
    members: list[Member] = []
    cursor: str | None = None
    while True:
        query = {"channel": channel, "limit": _MAX_PAGE if token else None, "cursor": cursor}
        if token is None:
            answer = yield from ask(_get(service, "presence", query), patience_s=service.patience_s)
        else:
            url = service.site_address("/fanout/presence", _members_of(query))
            answer = yield from ask(Request("GET", url, token_headers(token)), patience_s=service.patience_s)
        told = answer.json()
        listed = told.get("items", told.get("members", []))
        members += [Member(str(one.get("user", "")), one.get("info")) for one in listed]
        cursor = told.get("next") or told.get("cursor")
        if not cursor or not listed:
            return Presence(members, int(told.get("count", len(members))), int(told.get("anonymous", 0)))


def ask_why(service: Service, about: str, *, kind: str | None = None) -> Call[JsonObject]:
    """Return what happened to a message, a channel, a user or a connection: the answer of `GET …/why`, as it is."""
    answer = yield from ask(_get(service, "why", {"about": about, "kind": kind}), patience_s=service.patience_s)
    return answer.json()


def list_all(service: Service, path: str, query: Mapping[str, Any] | None = None) -> Call[list[JsonObject]]:
    """Return every row of a list of the API, such as `/realms`, over all pages."""
    rows: list[JsonObject] = []
    cursor: str | None = None
    while True:
        url = service.api_address(path, _members_of({**(query or {}), "cursor": cursor}))
        answer = yield from ask(Request("GET", url, service.headers()), patience_s=service.patience_s)
        told = answer.json()
        rows += told.get("items", [])
        cursor = told.get("next")
        if not cursor:
            return rows


def request_api(
    service: Service,
    method: str,
    path: str,
    *,
    body: Any = None,  # any JSON
    query: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[JsonObject]:
    """Make a request of the management API and return its JSON. What changes something is sent once.

    With an `idempotency_key`, or for GET, it is sent again where the answer did not come.
    """
    headers = service.headers()
    if idempotency_key is not None:
        headers.append(("Idempotency-Key", idempotency_key))
    url = service.api_address(path, _members_of(query or {}))
    request = Request(method, url, headers) if body is None else json_request(method, url, headers, body)
    may_repeat = method in ("GET", "HEAD") or idempotency_key is not None
    call = ask(request, patience_s=service.patience_s) if may_repeat else ask_once(request)
    answer: Answer = yield from call
    return answer.json()


def _get(service: Service, path: str, query: Mapping[str, Any]) -> Request:
    return Request("GET", service.realm_address(path, _members_of(query)), service.headers())


def _members_of(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in query.items() if value is not None]

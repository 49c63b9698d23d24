"""`POST /realm/{realm}/publish/`: the hot path. Plain ASGI, no Django, no database query per request.

Also the older form `/realm/{realm}/publish/{channel}/`. Source: docs/api/publish.md.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from fanoutcloud.core.activity import ActivitySink, refused_event
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import (
    BodyTooLarge,
    FanoutError,
    InvalidRequest,
    LimitReached,
    MethodNotAllowed,
)
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.items import Item
from fanoutcloud.core.named_ids import find_named_ids
from fanoutcloud.core.names import ChannelName, RealmId, find_realm_id, parse_channel_name
from fanoutcloud.core.pacing import RefusalPacer
from fanoutcloud.core.statistics import PublishStatistics
from publishing.answers import (
    BodyUnfinished,
    Headers,
    error_answer,
    message_answer,
    preflight_headers,
    wants_json_answer,
)
from publishing.authentication import Authenticator, hint_of
from publishing.services import Publisher

#: A body that is too large is read and thrown away up to here, so that its sender gets to see the answer.
MAX_DISCARDED_BYTES = 32_000_000
BODY_TIMEOUT_S = 30.0
_METHODS = "POST, OPTIONS"
_PUBLISHED = {as_json: message_answer("Published", as_json=as_json) for as_json in (False, True)}
_PATH = re.compile(rb"/realm/([^/]+)/publish(?:/(.*?))?/?\Z", re.DOTALL)

#: Status, headers and body.
Answer = tuple[int, Headers, bytes]
Scope = Any  # as ASGI has it: open mappings and callables, checked by the server
Receive = Any
Send = Any


@dataclass(frozen=True, slots=True)
class PublishTarget:
    """Where a request publishes to: as its path says, not yet checked."""

    realm: RealmId
    channel: bytes | None  # unescaped


def find_target(raw_path: bytes) -> PublishTarget | None:
    """Return what a publish path names, or None if it is none. Works on the raw path: channels may hold `%2F`."""
    if not raw_path.startswith(b"/realm/"):
        return None
    match = _PATH.match(raw_path)
    realm = find_realm_id(match[1].decode("latin-1")) if match else None
    if match is None or realm is None:
        return None
    return PublishTarget(realm, unquote_to_bytes(match[2]) if match[2] else None)


class PublishEndpoint:
    """Answers publish requests."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        publisher: Publisher,
        activity: ActivitySink,
        clock: Clock,
        max_body_bytes: int,
        body_timeout_s: float = BODY_TIMEOUT_S,
        statistics: PublishStatistics | None = None,
        pacer: RefusalPacer | None = None,
        flight: FlightRecorder | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._publisher = publisher
        self._activity = activity
        self._clock = clock
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._statistics = statistics or PublishStatistics()
        self._pacer = pacer or RefusalPacer(clock)
        self._flight = flight or FlightRecorder(clock)

    async def serve(self, target: PublishTarget, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 once its items are stored, else the reason why not."""
        method = scope["method"]
        if method == "OPTIONS":
            await _send(send, (204, preflight_headers(_METHODS), b""))
            return
        request = _Request(target, dict(scope["headers"]), _address(scope))

        async def read_body() -> bytes:
            if method != "POST":
                raise MethodNotAllowed(method, _METHODS)
            limit_bytes, timeout_s = self._max_body_bytes, self._body_timeout_s
            return await _read_body(receive, request.headers, limit_bytes=limit_bytes, timeout_s=timeout_s)

        await _send(send, await self._answer(request, read_body))

    def make_answerer(self, target: PublishTarget, scope: Scope) -> Callable[[bytes], Awaitable[Answer]]:
        """Return what answers this request, a POST, and others that are the same but for the body, given that."""
        request = _Request(target, dict(scope["headers"]), _address(scope))

        async def answer(body: bytes) -> Answer:
            async def read_body() -> bytes:
                if len(body) > self._max_body_bytes:
                    raise BodyTooLarge(self._max_body_bytes)
                return body

            return await self._answer(request, read_body)

        return answer

    async def _answer(self, request: "_Request", read_body: Callable[[], Awaitable[bytes]]) -> Answer:
        wants_json = False
        try:
            wants_json = wants_json_answer(request.headers.get(b"accept", b"*/*").lower())
            body = await read_body()
            try:
                await self._publish(request, body)
            except FanoutError as error:
                error.item_ids = find_named_ids(body)
                raise
        except FanoutError as error:
            self._statistics.requests[error.code] += 1
            self._tell_refused(request, error)
            if isinstance(error, LimitReached):
                error.__traceback__ = None  # it holds the body
                await self._pacer.pace(request.target.realm)
            return error.http_status, *error_answer(error, as_json=wants_json)
        self._statistics.requests["accepted"] += 1
        return 200, *_PUBLISHED[wants_json]

    async def _publish(self, request: "_Request", body: bytes) -> None:
        target, headers = request.target, request.headers
        realm, key = await self._authenticator.authenticate(
            target.realm, headers.get(b"authorization"), address=request.address
        )
        self._publisher.check_limits(realm)  # before the items are parsed: a refusal must be cheap
        channel = _path_channel(target)
        items = _parse(body, channel, headers.get(b"content-type", b""))
        await self._publisher.publish_items(realm, items, via="rest", key_hint=hint_of(key))

    def _tell_refused(self, request: "_Request", error: FanoutError) -> None:
        realm, address = request.target.realm, request.address
        self._flight.refused(realm, error, side="publish", address=address)
        if self._activity.is_watched(realm):
            self._activity.record(realm, refused_event(error, at=self._clock.now(), address=address))


@dataclass(frozen=True, slots=True)
class _Request:
    """A request but for its body. `address` is the client's."""

    target: PublishTarget
    headers: dict[bytes, bytes]
    address: str


#: Content types of forms: what client libraries send when they are not told that it is JSON.
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data")


def _parse(body: bytes, channel: ChannelName | None, content_type: bytes) -> list[Item]:
    """Return the items; where a form came in place of JSON, say that. curl declares JSON as a form, and is let be."""
    try:
        return parse_publish(body, channel=channel)
    except InvalidRequest as error:
        if error.field == "body" and content_type.lower().startswith(_FORMS) and body.lstrip()[:1] not in (b"{", b"["):
            cure = "send JSON with Content-Type: application/json"
            raise InvalidRequest("this is a form, not JSON", cure=cure, field="body") from None
        raise


def _path_channel(target: PublishTarget) -> ChannelName | None:
    if target.channel is None:
        return None
    try:
        name = target.channel.decode()
    except UnicodeDecodeError:
        cure = "percent-escape the name's UTF-8 bytes"
        raise InvalidRequest("the channel name is not UTF-8", cure=cure, field="path") from None
    return parse_channel_name(name, field="path")


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _read_body(receive: Receive, headers: dict[bytes, bytes], *, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLarge: it is larger than the limit; it was read to its end, or to `MAX_DISCARDED_BYTES`.
        BodyUnfinished: it did not come within `timeout_s`, or the client left.
    """
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit_bytes and headers.get(b"expect"):
        raise BodyTooLarge(limit_bytes)  # the client asked before sending it
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyUnfinished("the client left before the body's end", field="body")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size <= limit_bytes:
                    parts.append(chunk)
                else:
                    parts.clear()
                if not message.get("more_body") or size > MAX_DISCARDED_BYTES:
                    break
    except TimeoutError:
        raise BodyUnfinished(
            f"the body did not come within {timeout_s:g} s", cure="send it at once", field="body"
        ) from None
    if size > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(send: Send, answer: Answer) -> None:
    status, headers, body = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""`POST /realm/{realm}/publish/`: the hot path. Plain ASGI, no Django, no database query per request.

Also the older form `/realm/{realm}/publish/{channel}/`. Source: docs/api/publish.md.
"""

import asyncio
import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from fanoutcloud.core.activity import ActivitySink, refused_event
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmKey
from fanoutcloud.core.errors import (
    BodyTooLarge,
    FanoutError,
    InvalidRequest,
    LimitReached,
    MethodNotAllowed,
    NotAcceptable,
    RateLimited,
    Unauthorized,
    Unavailable,
    limit_members,
)
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.names import ChannelName, RealmId, find_realm_id, parse_channel_name
from fanoutcloud.core.pacing import RefusalPacer
from fanoutcloud.core.statistics import PublishStatistics
from publishing.authentication import Authenticator
from publishing.services import Publisher

#: A body that is too large is read and thrown away up to here, so that its sender gets to see the answer.
MAX_DISCARDED_BYTES = 32_000_000
BODY_TIMEOUT_S = 30.0
_METHODS = "POST, OPTIONS"
_PATH = re.compile(rb"/realm/([^/]+)/publish(?:/(.*?))?/?\Z", re.DOTALL)

_CORS: list[tuple[bytes, bytes]] = [
    (b"access-control-allow-origin", b"*"),  # credentials are in a header that pages must set themselves
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
_PREFLIGHT = [
    *_CORS,
    (b"access-control-allow-methods", _METHODS.encode()),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"3600"),
    (b"content-length", b"0"),
]
_TEXT = b"text/plain; charset=utf-8"
_JSON = b"application/json"


class BodyUnfinished(InvalidRequest):
    """The body did not come to its end, so that nothing more can be read from the connection."""


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
    ) -> None:
        self._authenticator = authenticator
        self._publisher = publisher
        self._activity = activity
        self._clock = clock
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._statistics = statistics or PublishStatistics()
        self._pacer = pacer or RefusalPacer(clock)

    async def serve(self, target: PublishTarget, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 once its items are stored, else the reason why not."""
        if scope["method"] == "OPTIONS":
            await _answer(send, 204, b"", _PREFLIGHT)
            return
        headers = dict(scope["headers"])
        wants_json = False
        try:
            wants_json = _wants_json(headers.get(b"accept", b"*/*").lower())
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], _METHODS)
            await self._publish(target, headers, receive, address=_address(scope))
        except FanoutError as error:
            self._statistics.requests[error.code] += 1
            self._tell_refused(target.realm, scope, error)
            if isinstance(error, LimitReached):
                error.__traceback__ = None  # it holds the body
                await self._pacer.pace(target.realm)
            await _answer_error(send, error, as_json=wants_json)
        else:
            self._statistics.requests["accepted"] += 1
            body, media_type = (b'{"message":"Published"}\n', _JSON) if wants_json else (b"Published\n", _TEXT)
            await _answer(send, 200, body, [*_CORS, (b"content-type", media_type), _length(body)])

    async def _publish(
        self, target: PublishTarget, headers: dict[bytes, bytes], receive: Receive, *, address: str
    ) -> None:
        body = await _read_body(receive, headers, limit_bytes=self._max_body_bytes, timeout_s=self._body_timeout_s)
        realm, key = await self._authenticator.authenticate(
            target.realm, headers.get(b"authorization"), address=address
        )
        self._publisher.check_limits(realm)  # before the items are parsed: a refusal must be cheap
        channel = _path_channel(target)
        items = parse_publish(body, channel=channel)
        await self._publisher.publish_items(realm, items, via="rest", key_hint=_hint(key))

    def _tell_refused(self, realm: RealmId, scope: Scope, error: FanoutError) -> None:
        if self._activity.is_watched(realm):
            self._activity.record(realm, refused_event(error, at=self._clock.now(), address=_address(scope)))


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


def _hint(key: RealmKey) -> str:
    """Return the last characters of the key's text, by which its owner knows it."""
    return "…" + base64.b64encode(key.secret)[-4:].decode()


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


def _wants_json(accept: bytes) -> bool:
    """Tell whether the answer is to be JSON: only where the client takes JSON and neither text nor anything.

    Raises:
        NotAcceptable: it takes none of them.
    """
    if b"*/*" in accept or b"text/plain" in accept or b"text/*" in accept or not accept.strip():
        return False
    if _JSON in accept or b"application/*" in accept:
        return True
    raise NotAcceptable("the answer is text or JSON")


async def _answer_error(send: Send, error: FanoutError, *, as_json: bool) -> None:
    """Answer with one line of text: client libraries put it into the exception that the developer sees."""
    headers = [*_CORS, (b"content-type", _JSON if as_json else _TEXT)]
    match error:
        case Unauthorized():
            headers.append((b"www-authenticate", b'Bearer, Basic realm="fanout"'))
        case MethodNotAllowed(allow=allow):
            headers.append((b"allow", allow.encode()))
        case RateLimited(retry_after_s=seconds) | Unavailable(retry_after_s=seconds):
            headers.append((b"retry-after", str(seconds).encode()))
        case BodyTooLarge() | BodyUnfinished():
            headers.append((b"connection", b"close"))  # what is left of the body is not read
    if as_json:
        members: dict[str, object] = {
            "code": error.code,
            "message": str(error),
            "cure": error.cure,
            "field": error.field,
        }
        members |= limit_members(error)
        body = msgspec.json.encode({"error": members}) + b"\n"
    else:
        body = error.line.encode(errors="replace") + b"\n"
    await _answer(send, error.http_status, body, [*headers, _length(body)])


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(body)


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""Answers of the compatible API (`/realm/{realm}/…`): one line of text, or JSON for those who take nothing else.

Client libraries put the line into the exception that the developer sees.
"""

import msgspec

from fanoutcloud.core.errors import (
    BodyTooLarge,
    FanoutError,
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    RateLimited,
    Unauthorized,
    Unavailable,
    limit_members,
)

Headers = list[tuple[bytes, bytes]]

_CORS: Headers = [
    (b"access-control-allow-origin", b"*"),  # credentials are in a header that pages must set themselves
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
_TEXT = b"text/plain; charset=utf-8"
_JSON = b"application/json"


class BodyUnfinished(InvalidRequest):
    """The body did not come to its end, so that nothing more can be read from the connection."""


def preflight_headers(methods: str) -> Headers:
    """Return the headers that answer CORS's question (OPTIONS)."""
    return [
        *_CORS,
        (b"access-control-allow-methods", methods.encode()),
        (b"access-control-allow-headers", b"authorization, content-type"),
        (b"access-control-max-age", b"3600"),
        (b"content-length", b"0"),
    ]


def wants_json_answer(accept: bytes) -> bool:
    """Tell whether the answer is to be JSON: only where the client takes JSON and neither text nor anything.

    Raises:
        NotAcceptable: it takes none of them.
    """
    if b"*/*" in accept or b"text/plain" in accept or b"text/*" in accept or not accept.strip():
        return False
    if _JSON in accept or b"application/*" in accept:
        return True
    raise NotAcceptable("the answer is text or JSON")


def message_answer(message: str, *, as_json: bool) -> tuple[Headers, bytes]:
    """Return headers and body of a success."""
    body = msgspec.json.encode({"message": message}) if as_json else message.encode()
    return _finish([(b"content-type", _JSON if as_json else _TEXT)], body)


def error_answer(error: FanoutError, *, as_json: bool) -> tuple[Headers, bytes]:
    """Return headers and body of a failure; its status is the error's."""
    headers = [(b"content-type", _JSON if as_json else _TEXT)]
    match error:
        case Unauthorized():
            headers.append((b"www-authenticate", b'Bearer, Basic realm="fanout"'))
        case MethodNotAllowed(allow=allow):
            headers.append((b"allow", allow.encode()))
        case RateLimited(retry_after_s=seconds) | Unavailable(retry_after_s=seconds):
            headers.append((b"retry-after", str(seconds).encode()))
        case BodyTooLarge() | BodyUnfinished():
            headers.append((b"connection", b"close"))  # what is left of the body is not read
    if not as_json:
        return _finish(headers, error.line.encode(errors="replace"))
    members: dict[str, object] = {
        "code": error.code,
        "message": str(error),
        "cure": error.cure,
        "field": error.field,
    }
    return _finish(headers, msgspec.json.encode({"error": members | limit_members(error)}))


def _finish(headers: Headers, line: bytes) -> tuple[Headers, bytes]:
    body = line + b"\n"
    return [*_CORS, *headers, (b"content-length", b"%d" % len(body))], body

"""JSON-P: an answer as a script that calls a function of the page, for browsers without other ways across origins.

Only names and the two shapes that old clients use are called, so that no answer can be made to run anything else.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

import msgspec

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.edge.connections.sinks import Scope

SCRIPT = (b"content-type", b"application/javascript; charset=utf-8")
MAX_CALLBACK_CHARACTERS = 200
_NAME = r"[A-Za-z_$][A-Za-z0-9_$]*"
_CALLBACK = re.compile(
    rf"""(?:{_NAME}(?:\.{_NAME})*
    |fo_jsonp_get_callback\("[0-9]{{1,10}}"\)
    |window\["D3DDFE2A-6E6D-47A7-8F3B-0A4A8E71A796"\]\.getJsonpCallback\("cb-[0-9]{{1,10}}"\)
    )\Z""",
    re.VERBOSE,
)


def check_callback(text: str, *, field: str = "callback") -> str:
    """Return `text` if it is a callback that may be called.

    Raises:
        InvalidRequest: it is anything but a dotted name, or one of the shapes of the old FPP script and of Pollymer.
    """
    if len(text) > MAX_CALLBACK_CHARACTERS or not _CALLBACK.match(text):
        raise InvalidRequest("this is no callback", cure="name a function, such as window.receive", field=field)
    return text


def write_script(callback: str, json: bytes) -> bytes:
    """Return the script that calls `callback` with the JSON value; line separators of Unicode end no string in it."""
    escaped = json.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return b"/**/%b(%b);\n" % (callback.encode(), escaped)


@dataclass(frozen=True, slots=True)
class JsonPRequest:
    """A request that came as a script's address: what it would have been without JSON-P."""

    callback: str
    method: str
    headers: dict[str, str]
    body: bytes
    query: str  # without the members of JSON-P


_headers_decoder = msgspec.json.Decoder(dict[str, str])
#: `_method`, as Pollymer sends it, or `method`, as pages of the first FPP script do.
_MEMBERS = {"_method": "method", "_headers": "headers", "_body": "body"}
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def find_json_p(scope: Scope) -> JsonPRequest | None:
    """Return the request that a `GET` with a `callback` stands for; None for any other.

    Raises:
        InvalidRequest: the callback, the method or the headers can't be used.
    """
    if scope["method"] != "GET" or b"callback=" not in scope["query_string"]:
        return None
    try:
        members = parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=1100
        )
    except ValueError:
        raise InvalidRequest("can't be read", cure="percent-encode UTF-8", field="query") from None
    query = dict(members)
    if "callback" not in query:
        return None
    used = {new: new if new in query else old for new, old in _MEMBERS.items()}
    method = query.get(used["_method"], "GET").upper()
    if method not in _METHODS:
        raise InvalidRequest("is no method", cure="use GET or POST", field=used["_method"])
    rest = [(name, value) for name, value in members if name not in ("callback", *used.values())]
    return JsonPRequest(
        check_callback(query["callback"]),
        method,
        _read_headers(query.get(used["_headers"], "{}"), field=used["_headers"]),
        query.get(used["_body"], "").encode(),
        urlencode(rest),
    )


def _read_headers(text: str, *, field: str) -> dict[str, str]:
    try:
        return {name.lower(): value for name, value in _headers_decoder.decode(text).items()}
    except (msgspec.MsgspecError, RecursionError):
        raise InvalidRequest("is no object of texts", cure='send such as {"Accept":"*/*"}', field=field) from None


def write_answer(callback: str, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return the script for a whole answer: `{"code", "reason", "headers", "body"}`, the body as text."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    answer = {
        "code": status,
        "reason": HTTPStatus(status).phrase,
        "headers": joined,
        "body": body.decode(errors="replace"),
    }
    return write_script(callback, msgspec.json.encode(answer))

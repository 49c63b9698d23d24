"""JSON-P: a request as a page's script element makes it, and its answer as a script. Pure.

Source: GRIP: JSON-P. `callback`, `_method`, `_headers` and `_body` leave the query; the answer is always 200.
"""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote_plus

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.grip.exchange import Answer
from fanoutcloud.grip.headers import HOP_BY_HOP, is_grip
from fanoutcloud.outbound.messages import Headers

#: What is wrapped: longer bodies can't be a script anybody waits for.
MAX_WRAPPED_BYTES = 1_000_000
MAX_CALLBACK_CHARACTERS = 200
_SPECIAL = frozenset({"callback", "_method", "_headers", "_body"})
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
#: A dotted name; and the two expressions that old client libraries use, in that exact shape.
_CALLBACK = re.compile(
    r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*"
    r"|fo_jsonp_get_callback\(\"\w{1,32}\"\)"
    r"|window\[\"[0-9A-F-]{36}\"\]\.getJsonpCallback\(\"cb-[0-9]{1,9}\"\)",
    re.ASCII,
)
_NOT_SETTABLE = HOP_BY_HOP | {b"host", b"content-length", b"expect", b"trailer"}


@dataclass(frozen=True, slots=True)
class ScriptRequest:
    """What a script element asks for: the request that its origin is to get, and the callback for the answer."""

    callback: str
    method: str
    query: bytes
    headers: Headers
    body: bytes


def read_script_request(query: bytes) -> ScriptRequest | None:
    """Return what the query of a GET asks for in the place of the GET; None: it names no callback.

    Raises:
        InvalidRequest: a parameter can't be used; names it.
    """
    special: dict[str, str] = {}
    kept: list[bytes] = []
    for member in query.split(b"&") if query else []:
        name, _, value = member.partition(b"=")
        key = unquote_plus(name.decode("latin-1"))
        if key in _SPECIAL:
            special.setdefault(key, unquote_plus(value.decode("latin-1")))
        else:
            kept.append(member)
    if "callback" not in special:
        return None
    return ScriptRequest(
        callback=_check_callback(special["callback"]),
        method=_check_method(special.get("_method", "GET")),
        query=b"&".join(kept),
        headers=_read_headers(special.get("_headers", "{}")),
        body=special.get("_body", "").encode(),
    )


def as_script(callback: str, answer: Answer) -> Answer:
    """Return an answer as the script that hands it to the callback."""
    headers: dict[str, str] = {}
    for name, value in answer.headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    members = {
        "code": answer.status,
        "reason": answer.reason.decode("latin-1"),
        "headers": headers,
        "body": answer.body.decode("utf-8", "replace"),
    }
    body = f"/**/{callback}({json.dumps(members)});\n".encode()
    return Answer(HTTPStatus.OK, b"OK", [(b"Content-Type", b"application/javascript")], body)


def _check_callback(text: str) -> str:
    if len(text) > MAX_CALLBACK_CHARACTERS or not _CALLBACK.fullmatch(text):
        raise InvalidRequest("is no name of a function", cure="use such as app.onAnswer", field="callback")
    return text


def _check_method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise InvalidRequest("is no method", cure="use such as POST", field="_method")
    return text


def _read_headers(text: str) -> Headers:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise InvalidRequest("is no JSON object", cure='send such as {"Content-Type":"text/plain"}', field="_headers")
    headers: Headers = []
    for name, value in members.items():
        lower = name.lower().encode("utf-8")
        is_sendable = isinstance(value, str) and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)
        if not is_sendable or lower in _NOT_SETTABLE or is_grip(lower):
            raise InvalidRequest("holds a header that can't be sent", cure="use other headers", field="_headers")
        headers.append((name.encode("ascii"), value.encode("ascii")))
    return headers

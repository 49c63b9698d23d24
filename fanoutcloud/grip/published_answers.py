"""What a held response is answered with: the origin's answer, and what an item makes of it. Pure.

Source: GRIP: response holds.
"""

import json
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary

import jsonpatch
import jsonpointer

from fanoutcloud.core.items import HttpResponse
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.grip.instructions import Answer, standard_reason

#: Follow from the body and the connection; never relayed.
FRAMING_HEADERS = frozenset({b"content-length", b"transfer-encoding", b"connection", b"keep-alive"})
_BODILESS = frozenset({204, 304})


def merge(origin: Answer, published: HttpResponse, body: bytes) -> Answer:
    """Return the published answer: the origin's headers stay where the item does not name them."""
    headers = [(name.encode(), value.encode()) for name, value in published.headers]
    names = {name.lower() for name, _ in headers}
    kept = [(name, value) for name, value in origin.headers if name.lower() not in names]
    added = [(name, value) for name, value in headers if name[:5].lower() != b"grip-"]
    reason = standard_reason(published.code) if published.reason is None else published.reason
    return Answer(published.code, reason, (*kept, *added), body)


def body_of(origin: Answer, published: HttpResponse) -> bytes:
    """Return the body that the item tells, patches applied."""
    if published.body is not None:
        return published.body
    return patch(origin.body, published.body_patch or b"[]")


def patch(body: bytes, operations: bytes) -> bytes:
    """Return JSON text with RFC 6902 operations applied; nothing if that can't be done."""
    try:
        document: Any = json.loads(body)  # Any: a value of JSON
        if not isinstance(document, dict | list):
            return b""
        patched = jsonpatch.apply_patch(document, json.loads(operations))
    except (ValueError, TypeError, RecursionError, jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
        return b""
    text = json.dumps(patched, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return text + b"\n" if body.endswith(b"\n") else text


def encode(answer: Answer, *, is_head: bool = False, closes: bool = False) -> bytes:
    """Return the whole response as bytes for the socket."""
    lines = [b"HTTP/1.1 %03d %b\r\n" % (answer.status, answer.reason.encode("utf-8", "replace"))]
    lines += [b"%b: %b\r\n" % header for header in answer.headers if header[0].lower() not in FRAMING_HEADERS]
    has_body = not is_bodiless(answer.status)
    if has_body:
        lines.append(b"Content-Length: %d\r\n" % len(answer.body))
    if closes:
        lines.append(b"Connection: close\r\n")
    return b"".join(lines) + (b"\r\n" + answer.body if has_body and not is_head else b"\r\n")


def is_bodiless(status: int) -> bool:
    """Whether responses of this status have no body (RFC 9110 §6.4.1)."""
    return status in _BODILESS or 100 <= status < 200


class SharedAnswer:
    """An origin's answer that many clients may hold. What an item makes of it is put together once."""

    __slots__ = ("__weakref__", "_bytes", "_newest", "answer")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._newest: tuple[StoredItem, Answer] | None = None
        self._bytes: tuple[Answer, Hashable, bytes] | None = None

    def published(self, stored: StoredItem, published: HttpResponse) -> Answer:
        """Return what the item answers with where no filter changes it."""
        if self._newest is None or self._newest[0] is not stored:
            self._newest = (stored, merge(self.answer, published, body_of(self.answer, published)))
        return self._newest[1]

    def encoded(self, answer: Answer, key: Hashable, dress: Callable[[], Answer]) -> bytes:
        """Return the response as bytes, dressed; once for all that are answered and dressed the same."""
        if self._bytes is None or self._bytes[0] is not answer or self._bytes[1] != key:
            self._bytes = (answer, key, encode(dress()))
        return self._bytes[2]


class AnswerPool:
    """Lets clients that were answered equally share one `SharedAnswer`."""

    def __init__(self) -> None:
        self._answers: WeakValueDictionary[Answer, SharedAnswer] = WeakValueDictionary()

    def share(self, answer: Answer) -> SharedAnswer:
        """Return what all share that were answered so."""
        shared = self._answers.get(answer)
        if shared is None:
            shared = self._answers[answer] = SharedAnswer(answer)
        return shared

"""WebSocket-over-HTTP: the events of a WebSocket as the body of a request or answer. Pure.

    event = type CRLF / type SP size CRLF content CRLF      ; size in hexadecimal

Source: GRIP: WebSocket-over-HTTP, wire format.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fanoutcloud.core.errors import FanoutError

MEDIA_TYPE = b"application/websocket-events"

OPEN, TEXT, BINARY, PING, PONG, CLOSE, DISCONNECT = "OPEN", "TEXT", "BINARY", "PING", "PONG", "CLOSE", "DISCONNECT"
#: Types with content that counts; on the others it is accepted and ignored.
MESSAGES = frozenset({TEXT, BINARY})
CONTENT_TYPES = frozenset({TEXT, BINARY, PING, PONG, CLOSE})
KNOWN = CONTENT_TYPES | {OPEN, DISCONNECT}

_HEAD = re.compile(rb"(?P<type>[!-~]+)(?: +(?P<size>[0-9A-Fa-f]{1,8}))?\r\n")


class BadEvents(FanoutError):
    """A body is no sequence of events."""

    code = "bad_websocket_events"
    http_status = 502
    default_cure = "write TYPE CRLF, or TYPE SP size in hexadecimal CRLF content CRLF"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; an empty content is the same as none."""

    type: str
    content: bytes = b""


def encode_events(events: Iterable[Event]) -> bytes:
    """Return the body that holds the events. Messages are written with their size even if they are empty."""
    return b"".join(map(_encode, events))


def _encode(event: Event) -> bytes:
    if event.type in MESSAGES or event.content:
        return b"%b %X\r\n%b\r\n" % (event.type.encode(), len(event.content), event.content)
    return event.type.encode() + b"\r\n"


def decode_events(body: bytes) -> list[Event]:
    """Return the events of a body, without those of unknown types.

    Raises:
        BadEvents: it is no sequence of events.
    """
    events, at = [], 0
    while at < len(body):
        head = _HEAD.match(body, at)
        if head is None:
            raise BadEvents(f"no event begins at byte {at}")
        type_, at = head["type"].decode(), head.end()
        content = b""
        if head["size"] is not None:
            size = int(head["size"], 16)
            content = body[at : at + size]
            at += size
            if body[at : at + 2] != b"\r\n":
                raise BadEvents(f"the content of {type_[:20]} does not end at byte {at}")
            at += 2
        if type_ in KNOWN:
            events.append(Event(type_, content if type_ in CONTENT_TYPES else b""))
    return events


def close_event(code: int | None, reason: str = "") -> Event:
    """Return the event of a close; without a code it has no content."""
    return Event(CLOSE) if code is None else Event(CLOSE, code.to_bytes(2, "big") + reason.encode())


def read_close(content: bytes) -> tuple[int | None, str]:
    """Return code and reason of a close; what is too short for a code has none.

    Raises:
        BadEvents: the reason is not UTF-8.
    """
    if len(content) < 2:
        return None, ""
    try:
        return int.from_bytes(content[:2], "big"), content[2:].decode()
    except UnicodeDecodeError:
        raise BadEvents("the reason of a close is not UTF-8", cure="send the reason as UTF-8") from None

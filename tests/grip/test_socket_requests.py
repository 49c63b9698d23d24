"""Headers of WebSocket-over-HTTP."""

import pytest

from fanoutcloud.grip.exchange import OriginRequest
from fanoutcloud.grip.socket_requests import (
    SocketMeta,
    headers_for_client,
    is_events,
    make_request,
    read_accepted,
    read_interval,
)
from fanoutcloud.outbound.messages import Headers
from tests.grip.exchanges import response


def test_a_request_replays_the_handshake_and_nothing_that_is_ours_to_say():
    meta = SocketMeta()
    meta.update([(b"Set-Meta-User", b"alice")])
    handshake: Headers = [
        (b"cookie", b"sid=abc"),
        (b"meta-user", b"forged"),
        (b"connection-id", b"forged"),
        (b"sec-websocket-key", b"MDE="),
        (b"sec-websocket-protocol", b"chat"),
        (b"sec-websocket-extensions", b"permessage-deflate"),
        (b"accept", b"*/*"),
    ]

    request = make_request(OriginRequest(b"GET", b"/chat?a=1", handshake), "7f1c", meta, b"OPEN\r\n")

    assert (request.method, request.target, request.body) == (b"POST", b"/chat?a=1", b"OPEN\r\n")
    assert request.headers == [
        (b"cookie", b"sid=abc"),
        (b"sec-websocket-key", b"MDE="),
        (b"sec-websocket-protocol", b"chat"),
        (b"Content-Type", b"application/websocket-events"),
        (b"Accept", b"application/websocket-events"),
        (b"Connection-Id", b"7f1c"),
        (b"Sec-WebSocket-Extensions", b"grip"),
        (b"Meta-User", b"alice"),
    ]


def test_replayed_content_is_announced():
    request = make_request(OriginRequest(b"GET", b"/", []), "x", SocketMeta(), b"", replayed_bytes=6)

    assert (b"Content-Bytes-Replayed", b"6") in request.headers


def test_meta_values_are_replaced_and_removed():
    meta = SocketMeta()
    meta.update([(b"Set-Meta-A", b"1"), (b"set-meta-b", b"2"), (b"X", b"3")])
    meta.update([(b"SET-META-a", b"4"), (b"Set-Meta-B", b""), (b"Set-Meta-C", b"x" * 20_000)])

    assert meta.headers == [(b"Meta-a", b"4")]


@pytest.mark.parametrize(
    ("line", "status", "is_one"),
    [
        ("Content-Type: application/websocket-events", 200, True),
        ("content-type: Application/WebSocket-Events", 200, True),
        ("Content-Type: application/websocket-events; x=y", 200, False),
        ("Content-Type: application/websocket-events", 201, False),
        ("X: 1", 200, False),
    ],
)
def test_answers_of_the_protocol(line: str, status: int, is_one: bool):
    assert is_events(response(line, status=status)) is is_one


def test_only_what_is_for_the_client_reaches_it():
    told = response(
        "Content-Type: application/websocket-events",
        "Content-Length: 6",
        "Keep-Alive-Interval: 30",
        "Set-Meta-User: alice",
        "Sec-WebSocket-Extensions: grip",
        "Sec-WebSocket-Protocol: chat",
        "Set-Cookie: a=b",
    )

    assert headers_for_client(told.headers) == [(b"Sec-WebSocket-Protocol", b"chat"), (b"Set-Cookie", b"a=b")]


@pytest.mark.parametrize(("value", "seconds"), [("30", 30), ("5", 20), ("0", 0), ("soon", 0), ("-1", 0), ("", 0)])
def test_intervals(value: str, seconds: int):
    assert read_interval([(b"keep-alive-interval", value.encode())]) == seconds


def test_nothing_said_is_nothing():
    assert read_interval([]) is None
    assert read_accepted([(b"Content-Bytes-Accepted", b"x")]) is None
    assert read_accepted([(b"content-bytes-accepted", b"7")]) == 7

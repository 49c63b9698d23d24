"""What is read as one whole request of a subscriber, and what is left to a server that knows all of HTTP."""

import pytest

from fanoutcloud.edge.connections.request_head import read_request_head

_UPGRADE = b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"


def _request(*, line: bytes = b"GET /fanout/sse?channel=a HTTP/1.1", more: bytes = b"", behind: bytes = b"") -> bytes:
    return line + b"\r\nHost: localhost\r\n" + more + b"\r\n" + behind


@pytest.mark.parametrize(("more", "is_websocket"), [(b"", False), (_UPGRADE, True)])
def test_a_whole_request_is_read(more: bytes, is_websocket: bool):
    read = read_request_head(_request(more=more + b"X-One: Two\r\n"))

    assert read is not None
    head, wants_websocket = read
    scope = head.scope("http")
    assert wants_websocket is is_websocket
    assert scope is not None
    assert (scope["path"], scope["query_string"]) == ("/fanout/sse", b"channel=a")
    assert head.headers[0] == (b"host", b"localhost")
    assert head.headers[-1] == (b"x-one", b"Two")


def test_a_path_is_decoded_as_asgi_servers_do():
    read = read_request_head(_request(line=b"GET /r/%E6%97%A5/fanout/sse HTTP/1.1"))

    assert read is not None
    scope = read[0].scope("http")
    assert scope is not None
    assert (scope["path"], scope["raw_path"]) == ("/r/日/fanout/sse", b"/r/%E6%97%A5/fanout/sse")


def test_an_address_that_can_not_be_read_has_no_scope():
    read = read_request_head(_request(line=b"GET http://[::1/fanout/sse HTTP/1.1"))

    assert read is None or read[0].scope("http") is None


@pytest.mark.parametrize(
    "data",
    [
        _request()[:-1],
        _request(behind=b"G"),
        _request(behind=_request()),
        _request(more=_UPGRADE, behind=b"\x81\x80\x00\x00\x00\x00"),
        _request(more=b"Content-Length: 4\r\n", behind=b"\r\n\r\n"),
        _request(more=b"Transfer-Encoding: chunked\r\n"),
        _request(more=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"),
        _request(line=b"GET /fanout/sse HTTP/1.0"),
        _request(line=b"POST /fanout/sse HTTP/1.1"),
        _request(line=b"CONNECT localhost:80 HTTP/1.1"),
        b"no HTTP\r\n\r\n",
        b"",
    ],
)
def test_anything_else_is_left_alone(data: bytes):
    assert read_request_head(data) is None

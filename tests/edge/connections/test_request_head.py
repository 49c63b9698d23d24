"""What is read as a subscriber's whole request or the head of a publish, and what is left to a server of all HTTP."""

import pytest

from fanoutcloud.edge.connections.request_head import read_post_head, read_request_head

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


_POST = b"POST /realm/a/publish/ HTTP/1.1"
_LENGTH = b"Content-Length: 12\r\n"


def test_the_head_of_a_post_is_read_with_the_length_of_its_body():
    read = read_post_head(_request(line=_POST, more=b"Accept: */*\r\n" + _LENGTH))

    assert read is not None
    scope = read[0].scope("http", "POST")
    assert scope is not None
    assert (read[1], scope["method"], scope["raw_path"]) == (12, "POST", b"/realm/a/publish/")
    assert read[0].headers[-1] == (b"content-length", b"12")


@pytest.mark.parametrize(
    "data",
    [
        _request(line=_POST),
        _request(line=_POST, more=b"Content-Length: 0\r\n"),
        _request(line=_POST, more=b"Content-Length: 1e1\r\n"),
        _request(line=_POST, more=b"Content-Length: -1\r\n"),
        _request(line=_POST, more=_LENGTH + b"Content-Length: 13\r\n"),
        _request(line=_POST, more=_LENGTH + b"Expect: 100-continue\r\n"),
        _request(line=_POST, more=_LENGTH + b"Transfer-Encoding: chunked\r\n"),
        _request(line=_POST, more=b"Transfer-Encoding: chunked\r\n"),
        _request(line=_POST, more=_LENGTH + b"Connection: close\r\n"),
        _request(line=_POST, more=_LENGTH + _UPGRADE),
        _request(line=_POST, more=_LENGTH + b"Upgrade: h2c\r\n"),
        _request(line=_POST, more=_LENGTH, behind=b"{"),
        _request(line=_POST, more=b"\n" + _LENGTH),
        _request(line=_POST, more=_LENGTH + b"Broken \r\n"),
        _request(line=_POST, more=_LENGTH)[:-2],
        _request(line=b"POST /realm/a/publish/ HTTP/1.0", more=_LENGTH),
        _request(line=b"PUT /realm/a/publish/ HTTP/1.1", more=_LENGTH),
        b"POST",
        b"",
    ],
)
def test_other_heads_are_left_alone(data: bytes):
    assert read_post_head(data) is None

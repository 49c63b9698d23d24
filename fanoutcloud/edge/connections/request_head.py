"""Heads of requests, read in one go: of a whole GET, as a subscriber's first bytes nearly always are, or of a POST."""

import httptools

from fanoutcloud.edge.site.sites import decode_path


class RequestHead:
    """A request as `read_request_head` found it. `headers` have names in lower case, as in ASGI."""

    __slots__ = ("begun", "has_body", "headers", "is_complete", "url")

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.begun = 0
        self.is_complete = False
        self.has_body = False

    # -- what the parser tells

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.has_body = True

    def on_message_complete(self) -> None:
        self.is_complete = True

    # -- what was asked

    def find(self, wanted: bytes) -> bytes | None:
        """Return the value of the last header with this name."""
        return next((value for name, value in reversed(self.headers) if name == wanted), None)

    def scope(self, type_: str, method: str = "GET") -> dict[str, object] | None:
        """Return what ASGI tells of the request but for its connection; None: its URL can't be read."""
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            return None
        raw_path = url.path or b"/"
        return {
            "type": type_,
            "method": method,
            "path": decode_path(raw_path),
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "headers": self.headers,
        }


def read_request_head(data: bytes) -> tuple[RequestHead, bool] | None:
    """Return the GET request of HTTP/1.1 that `data` is, and whether it wants a WebSocket; None: it is anything else.

    What is no such request, or not the whole of one, or more than one, is for a server that knows all of HTTP.
    """
    head = RequestHead()
    parser = httptools.HttpRequestParser(head)
    end, is_upgrade = len(data), False
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade as upgrade:
        end, is_upgrade = upgrade.args[0], True
    except httptools.HttpParserError:
        return None
    if not (head.is_complete and head.begun == 1 and end == len(data)) or head.has_body:
        return None
    if parser.get_method() != b"GET" or parser.get_http_version() != "1.1":
        return None
    if is_upgrade and (head.find(b"upgrade") or b"").lower() != b"websocket":
        return None
    return head, is_upgrade


class _PostHead(RequestHead):
    __slots__ = ("is_head_complete",)

    def __init__(self) -> None:
        super().__init__()
        self.is_head_complete = False

    def on_headers_complete(self) -> None:
        self.is_head_complete = True


#: Headers that ask for more than a body read and an answer written.
_ASKING_FOR_MORE = frozenset({b"expect", b"transfer-encoding", b"upgrade"})


def read_post_head(data: bytes) -> tuple[RequestHead, int] | None:
    """Return the head of a POST of HTTP/1.1 that `data` is, and the length of its body; None: it is anything else.

    Requests after which the connection is to be closed, or whose body's length is not told, are something else, too.
    """
    head = _PostHead()
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserUpgrade, httptools.HttpParserError):
        return None
    if not head.is_head_complete or head.is_complete or head.has_body or head.begun != 1:
        return None
    if parser.get_method() != b"POST" or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
        return None
    length = head.find(b"content-length") or b""
    if not length.isdigit() or any(name in _ASKING_FOR_MORE for name, _ in head.headers):
        return None
    return head, int(length)

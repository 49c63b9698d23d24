"""Origins that go wrong, for the stages of why_stages.py: each serves in a thread until its stage ends."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import trustme

#: Headers of a request, in lower case → status and headers of the answer.
Answering = Callable[[Mapping[str, str]], tuple[int, dict[str, str]]]


@contextmanager
def origin(answering: Answering, *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve on 127.0.0.1; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers = answering({name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever does not trust us leaves in the middle."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def fails(headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Answer as an application does that has a bug."""
    return 500, {}


def checks_with(secret: bytes) -> Answering:
    """Let in whom this key has signed, as GRIP libraries do."""

    def answering(headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        try:
            jwt.decode(headers["grip-sig"], secret, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return 403, {}
        return 200, {}

    return answering


def holds_for_alice(headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Hold a stream on `news` that is not to hear what Alice herself sends."""
    grip = {"Grip-Hold": "stream", "Grip-Channel": "news; filter=skip-self", "Grip-Set-Meta": "user=alice"}
    return 200, {"Content-Type": "text/plain", **grip}


def untrusted() -> ssl.SSLContext:
    """Return a certificate for 127.0.0.1 of an authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context

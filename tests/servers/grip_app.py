"""A web application of a few lines, as the quick start's examples are: `GET /hello` is held on a channel."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = "app"

    def do_GET(self) -> None:
        body = f"Connected to {self.name}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/hello":
            self.send_header("Grip-Hold", "stream")
            self.send_header("Grip-Channel", "hello")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
        pass


@contextmanager
def running_app(name: str = "app") -> Iterator[int]:
    """Run one in a thread; yield its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hello", (_Hello,), {"name": name}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

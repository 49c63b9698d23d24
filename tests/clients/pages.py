"""Pages of a customer in Chromium: on a host of their own, with the scripts that a test names."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page

PATIENCE_MS = 30_000
#: A page on the product's own host, as a customer's behind it would be; only Chromium knows it.
PAGE_OF_THE_SITE = "/page-of-the-site"
_PAGE = "<!doctype html><title>page</title>"


@contextmanager
def customers_server() -> Iterator[str]:
    """Serve an empty page on a host of its own; yield the address. `?policy=…` has it come with a content policy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = _PAGE.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            for policy in parse_qs(urlsplit(self.path).query).get("policy", []):
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Tell nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def open_page(chromium: Browser, address: str, *scripts: str | Path) -> Iterator[Page]:
    """Open the page and load the scripts in order: from their addresses, or as texts of the page's own."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = context.new_page()
        page.route(f"**{PAGE_OF_THE_SITE}", lambda route: route.fulfill(body=_PAGE, content_type="text/html"))
        page.goto(address)
        for script in scripts:
            if isinstance(script, Path):
                page.add_script_tag(content=script.read_text())
            else:
                page.add_script_tag(url=script)
        yield page
    finally:
        context.close()

"""A customer's web application that stanzas are posted to, as the sample of the service of old answers them."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree.ElementTree import Element, fromstring
from xml.sax.saxutils import escape

CLIENT = "{jabber:client}"


@dataclass(frozen=True, slots=True)
class Posted:
    """What came: the path, the headers in lower case, and the stanza."""

    path: str
    headers: dict[str, str]
    stanza: Element


class StanzaApplication(ThreadingHTTPServer):
    """Answers chat with chat, subscriptions as wished, IQs of `urn:example:ask`; `answer` is said in place of all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/xmpp"
        self.posted: list[Posted] = []
        self.answer: str | None = None
        self.status = 200
        self.wait_s = 0.0


class _Handler(BaseHTTPRequestHandler):
    server: StanzaApplication

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        stanza = fromstring(body.decode())
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.posted.append(Posted(self.path, headers, stanza))
        time.sleep(self.server.wait_s)
        answer = _answer(stanza) if self.server.answer is None else self.server.answer
        for name in ("from", "to", "id"):
            answer = answer.replace(f"[{name}]", stanza.get(name) or "")
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base names it
        """Say nothing."""


def _answer(stanza: Element) -> str:
    ends = "from='[to]' to='[from]'"
    if stanza.tag == f"{CLIENT}message":
        said = escape(stanza.findtext(f"{CLIENT}body") or "")
        return f"<message {ends} type='chat'><body>echo: {said}</body></message>"
    if stanza.tag == f"{CLIENT}presence" and stanza.get("type") == "subscribe":
        return f"<presence {ends} type='subscribed'/>\n\n<presence {ends}/>\n"
    if stanza.tag == f"{CLIENT}iq" and stanza.find("{urn:example:ask}query") is not None:
        return f"<iq {ends} type='result' id='[id]'><query xmlns='urn:example:ask'><answer/></query></iq>"
    return ""


@contextlib.contextmanager
def stanza_application() -> Iterator[StanzaApplication]:
    """Yield a running application."""
    server = StanzaApplication()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()

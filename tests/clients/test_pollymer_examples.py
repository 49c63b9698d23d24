"""What Pollymer's documentation shows, run with the published script and with ours: same requests, events, delays."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser

from tests.clients.pages import customers_server, open_page
from tests.servers.product import ProductRealm

#: Chance gives one half; time runs a hundred times as fast; what is waited for, and what comes, is written down.
#: A time of `PATIENCE_MS` is over when the server has been asked once more: a page may be slow to ask it.
_SET_UP = """
    Math.random = () => 0.5;
    window.PATIENCE_MS = 3000;
    window.told = [];
    window.impatient = 0;
    const wait = window.setTimeout;
    window.asked = async (count) => {
        while (await (await fetch(url + "/asked")).json() < count) await new Promise((done) => wait(done, 5));
    };
    window.setTimeout = (action, ms, ...more) => {
        told.push(["wait", ms]);
        if (ms !== PATIENCE_MS) return wait(action, ms < 60000 ? ms / 100 : ms, ...more);
        const count = ++impatient;
        return wait(() => asked(count).then(() => action(...more)), ms / 100);
    };
    window.watch = (req) => {
        req.on("finished", function (code, result, headers) {
            told.push(["finished", code, result, headers["content-type"], this === req]);
        });
        req.on("error", (reason) => told.push(["error", reason]));
        return req;
    };
    window.until = (name, count = 1) => new Promise((done, fail) => {
        const look = () => told.filter(([one]) => one === name).length >= count ? done() : wait(look, 5);
        wait(() => fail(new Error(JSON.stringify(told))), 15000);
        look();
    });
"""
#: What the documentation shows or says, one program each; `url` is a server that writes down its requests.
EXAMPLES = {
    "usage": """
        var req = watch(new Pollymer.Request());
        var headers = { "X-Mine": "yes" };
        var body = 'some data';
        req.maxTries = 2; // try twice
        req.start('POST', url + '/json', headers, body);
        await until("finished");
    """,
    "rawResponse": """
        var req = watch(new Pollymer.Request({rawResponse: true}));
        req.start('GET', url + '/json');
        await until("finished");
    """,
    "text stays text": """
        var req = watch(new Pollymer.Request());
        req.start('GET', url + '/text');
        await until("finished");
    """,
    "retries": """
        var req = watch(new Pollymer.Request({maxTries: 5}));
        req.start('GET', url + '/503,503,503,200/a');
        await until("finished");
    """,
    "tries that are used up": """
        var req = watch(new Pollymer.Request({maxTries: 3}));
        req.start('GET', url + '/503/a');
        await until("finished");
    """,
    "errorCodes": """
        var req = watch(new Pollymer.Request({errorCodes: '500,502-599', maxTries: -1}));
        req.start('GET', url + '/500,599,501/a');
        await until("finished");
    """,
    "recurring": """
        var req = watch(new Pollymer.Request({recurring: true}));
        var cursor = 0;
        req.on("finished", function () { cursor += 1; if (cursor === 3) req.recurring = false; });
        req.start('GET', function () { return url + '/json?cursor=' + cursor; });
        await until("finished", 3);
    """,
    "a 404 ends the recurring": """
        var req = watch(new Pollymer.Request({recurring: true, maxTries: -1}));
        req.start('GET', url + '/200,404/a');
        await until("finished", 2);
    """,
    "reuse": """
        var req = watch(new Pollymer.Request({maxDelay: 400}));
        req.start('GET', url + '/json');
        req.start('GET', url + '/ignored');
        await until("finished");
        req.start('POST', url + '/text', null, "again");
        await until("finished", 2);
    """,
    "retry": """
        var req = watch(new Pollymer.Request());
        req.retry();
        var count = 0;
        req.on("finished", function () { if (++count < 3) req.retry(); });
        req.start('GET', url + '/json');
        await until("finished", 3);
        told.push(["last", req.lastRequest.method, req.lastRequest.uri === url + "/json", req.lastRequest.transport]);
    """,
    "timeout": """
        var req = watch(new Pollymer.Request({timeout: PATIENCE_MS, maxTries: 2}));
        req.start('GET', url + '/hang');
        await until("error");
    """,
    "nobody there": """
        var req = watch(new Pollymer.Request({maxTries: 2}));
        req.start('GET', 'http://127.0.0.1:1/');
        await until("error");
    """,
    "abort": """
        var req = watch(new Pollymer.Request());
        req.start('GET', url + '/hang');
        await asked(1);
        req.abort();
        req.start('GET', url + '/text');
        await until("finished");
    """,
    "a handler that is removed": """
        var req = watch(new Pollymer.Request());
        var remove = req.on("finished", () => told.push(["no"]));
        remove();
        req.on("finished", () => told.push(["no"]));
        req.off("finished");
        watch(req);
        req.start('GET', url + '/text');
        await until("finished");
    """,
    "JSON-P": """
        var req = watch(new Pollymer.Request({transport: Pollymer.TransportTypes.Jsonp}));
        req.start('POST', url + '/script?a=b', {"X-Mine": "yes"}, "some data");
        await until("finished");
        told.push(["left", document.querySelectorAll("[id^=pd-jsonp-script]").length]);
    """,
    "JSON-P retries": """
        var req = watch(new Pollymer.Request({transport: 2, maxTries: 2, timeout: PATIENCE_MS}));
        req.start('GET', url + '/hang');
        await until("error");
    """,
    "constants": """
        told.push(["constants", Pollymer.ErrorTypes, Pollymer.TransportTypes]);
    """,
}


class Recorder:
    """A server that answers as its path says, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.closing = threading.Event()

    def note(self, handler: BaseHTTPRequestHandler) -> None:
        """Write down what a page chooses of a request; a test's own question is none of it."""
        if handler.path == "/asked":
            return
        size = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(size).decode()
        chosen = ("X-Mine", "Accept", "Content-Type")
        headers = {name: handler.headers[name] for name in chosen if handler.headers[name]}
        if "callback=" in handler.path:
            headers = {}  # a script's, not ours
        self.asked.append([handler.command, handler.path, headers, body])

    def answer(self, path: str) -> tuple[int, str, str]:
        """Return status, type and body."""
        kind = urlsplit(path).path.split("/")[1]
        if kind == "asked":
            return 200, "application/json", str(len(self.asked))
        if kind == "json":
            return 200, "application/json", '{"a": [1]}'
        if kind == "text":
            return 200, "text/plain", "plain {text"
        if kind == "script":
            told = {"code": 201, "reason": "Made", "headers": {"content-type": "x/y"}, "body": '{"b": 2}'}
            return (
                200,
                "application/javascript",
                f"{parse_qs(urlsplit(path).query)['callback'][0]}({json.dumps(told)});",
            )
        if kind == "hang":
            self.closing.wait(60)
            return 200, "text/plain", ""
        codes = kind.split(",")
        return int(codes[min(len(self.asked), len(codes)) - 1]), "text/plain", "words"


@pytest.fixture
def recorder() -> Iterator[tuple[Recorder, str]]:
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            recorder.note(self)
            status, kind, body = recorder.answer(self.path)
            try:
                self.send_response(status)
                for name, value in (
                    ("Access-Control-Allow-Origin", "*"),
                    ("Content-Type", kind),
                    ("Content-Length", str(len(body))),
                ):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())
            except OSError:
                pass  # it was aborted

        do_GET = do_POST = answer  # noqa: N815 - names of the standard library

        def do_OPTIONS(self) -> None:
            self.send_response(204)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Methods", "*")
            self.send_header("Access-Control-Allow-Headers", "*")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Tell nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield recorder, f"http://127.0.0.1:{server.server_port}"
    recorder.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def pages(chromium: Browser, node_packages: Path, realm: ProductRealm) -> Iterator[dict[str, Any]]:
    """A page with the published script, and one with ours."""
    published = node_packages / "node_modules" / "pollymer" / "dist" / "pollymer.js"
    with (
        customers_server() as address,
        open_page(chromium, address, published) as theirs,
        open_page(chromium, address, f"{realm.site}/fanout/pollymer.js") as ours,
    ):
        for page in (theirs, ours):
            page.evaluate(f"() => {{ {_SET_UP} Pollymer.logger = null; }}")
        yield {"published": theirs, "ours": ours}


def _run(page: Any, recorder: Recorder, program: str, url: str) -> list[Any]:
    recorder.asked.clear()
    begin = "window.url = url; told.length = impatient = 0;"
    told: list[Any] = page.evaluate(f"async (url) => {{ {begin} {program} return told; }}", url)
    deadline = time.monotonic() + 0.05
    while time.monotonic() < deadline:  # nothing may follow
        page.wait_for_timeout(10)
    return [told, list(recorder.asked)]


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_an_example_does_the_same_with_both(pages: dict[str, Any], recorder: tuple[Recorder, str], name: str):
    server, url = recorder
    theirs = _run(pages["published"], server, EXAMPLES[name], url)
    ours = _run(pages["ours"], server, EXAMPLES[name], url)

    assert ours == theirs
    assert len(theirs[0]) >= 1


def test_what_is_better_than_with_pollymer(pages: dict[str, Any], recorder: tuple[Recorder, str]):
    server, url = recorder
    told, asked = _run(
        pages["ours"],
        server,
        """
        var seen = [];
        Pollymer.logger = (type) => seen.push(type);
        var req = watch(new Pollymer.Request({recurring: true}));
        req.on("finished", () => { req.recurring = false; throw new Error("a handler that fails"); });
        var after = new Promise((done) => req.on("finished", done));
        window.onerror = () => true;
        req.start('GET', url + '/json');
        await after;
        var odd = watch(new Pollymer.Request({transport: 9}));
        odd.start('GET', url + '/json');
        await until("error");
        told.push(["logger", typeof Pollymer.logger, seen.length > 0]);
        Pollymer.logger = null;
        """,
        url,
    )

    assert ["error", 0] in told
    assert ["logger", "function", True] in told
    assert len(asked) == 1

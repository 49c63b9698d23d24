"""A page that reads channels by fanout.js and notes what it gets, and a publisher that numbers what it publishes."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.servers.product import ProductRealm

PATIENCE_MS = 30_000
#: The library's times, made short.
QUICK = {
    "firstDelay": 100,
    "longestDelay": 400,
    "readyTimeout": 700,
    "connectTimeout": 2000,
    "calmAfter": 2000,
    "grace": 800,
    "pollTimeout": 1,
}
#: What Chromium itself logs when a server refuses or is away; the tests are about that.
_EXPECTED = ("Failed to load resource", "WebSocket connection to", "net::ERR", "CORS policy")

_OPEN = """async ([site, script, options]) => {
    const { Fanout, FanoutError } = await import(script);
    Object.assign(window, { Fanout, FanoutError, received: {}, resets: [], states: [], errors: [] });
    window.client = new Fanout(site, { ...options, ...window.options });
    client.on("state", ({ state, transport, reason, retryIn }) =>
        states.push({ state, transport, reason: reason?.code, retryIn }));
    client.on("error", (error) => errors.push({ ...error, message: error.message }));
    window.read = (channel, options) => {
        const items = (received[channel] = []);
        const one = client.channel(channel, options);
        one.on("reset", (reset) => resets.push(reset));
        one.on("error", (error) => errors.push({ ...error, message: error.message }));
        return new Promise((done) => {
            one.on("subscribed", () => done());
            one.on("error", () => done());
            window.stop = one.subscribe((item) => items.push(item.data));
        });
    };
}"""


#: `make try-fanout-js` takes its time, and tries every transport where `make test` tries those that differ.
IS_FULL = os.environ.get("FANOUT_JS_TRIES") == "full"
TRANSPORTS = ["ws", "sse", "stream", "poll"]


def some(*transports: str) -> list[str]:
    """Return these transports, or all of them where there is time."""
    return TRANSPORTS if IS_FULL else list(transports)


class Reader:
    """One page. `script` is where the library comes from."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.site = site
        self.problems: list[str] = []

    def open(self, options: dict[str, Any] | None = None) -> None:
        """Load the library and make a client of it. Options that are functions are `window.options` of the page."""
        script = f"{self.site}/fanout/fanout.js"
        self.page.evaluate(_OPEN, [self.site, script, {**QUICK, **(options or {})}])

    def read(self, *channels: str, **options: Any) -> None:
        """Subscribe to channels, and wait until it is so."""
        self.page.evaluate(
            "([names, options]) => Promise.all(names.map((name) => read(name, options)))", [list(channels), options]
        )

    def until(self, channel: str, count: int) -> list[Any]:
        """Return what came of a channel, once it is so many items."""
        self.page.wait_for_function("([name, count]) => received[name].length >= count", arg=[channel, count])
        items: list[Any] = self.page.evaluate("(name) => received[name]", channel)
        return items

    def get(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def wait_for(self, expression: str) -> None:
        self.page.wait_for_function(expression)

    def pause(self, ms: int) -> None:
        """Let time pass in the page."""
        self.page.wait_for_timeout(ms)


@contextmanager
def open_reader(chromium: Browser, address: str, site: str) -> Iterator[Reader]:
    """Open the page; afterwards, nothing may have gone wrong in it that the test is not about."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    reader = Reader(page, site)

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(expected in message.text for expected in _EXPECTED):
            reader.problems.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: reader.problems.append(str(error)))
    try:
        page.goto(address)
        yield reader
        page.evaluate("window.client?.close()")
    finally:
        context.close()
    assert reader.problems == []


@contextmanager
def publishing(realm: ProductRealm, *channels: str, every_s: float = 0.01) -> Iterator[list[int]]:
    """Publish 0, 1, 2 … to each of the channels until the end of the block. The list holds what is published."""
    numbers: list[int] = []
    is_over = threading.Event()

    def run() -> None:
        with httpx.Client(auth=realm.auth, timeout=10, trust_env=False) as client:
            while not is_over.wait(every_s):
                items = [{"channel": channel, "json-object": len(numbers)} for channel in channels]
                client.post(f"{realm.api}/publish/", json={"items": items}).raise_for_status()
                numbers.append(len(numbers))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield numbers
    finally:
        is_over.set()
        thread.join(15)

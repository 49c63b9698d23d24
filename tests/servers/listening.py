"""A subscriber of a running product, for tests that are about publishing: one channel over server-sent events."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

#: No test waits longer than this for something that should happen.
PATIENCE_S = 15.0


class Listener:
    """Yields what arrives. The position is ours before `listen` returns, so nothing published later is missed."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def take(self, count: int = 1) -> list[Any]:
        """Return the data of the next `count` items."""
        return [item["data"] for item in self.take_items(count)]

    def take_items(self, count: int = 1) -> list[dict[str, Any]]:
        """Return the next `count` items with their positions and ids."""
        items: list[dict[str, Any]] = []
        while len(items) < count:
            name, data = self._next_event()
            if name == "message":
                items.append(data)
        return items

    def wait_until_subscribed(self) -> None:
        while self._next_event()[0] != "subscribed":
            pass

    def _next_event(self) -> tuple[str, dict[str, Any]]:
        name, data = "message", ""
        for line in self._lines:
            member, _, value = line.partition(": ")
            if member == "event":
                name = value
            elif member == "data":
                data = value
            elif not line and data:
                return name, json.loads(data)
        raise AssertionError("the event stream ended")


@contextmanager
def listen(site: str, channel: str) -> Iterator[Listener]:
    """Subscribe to a channel of a site."""
    params = {"channel": channel}
    with httpx.stream("GET", f"{site}/fanout/sse", params=params, timeout=PATIENCE_S, trust_env=False) as stream:
        assert stream.status_code == 200, stream.read()
        listener = Listener(stream.iter_lines())
        listener.wait_until_subscribed()
        yield listener

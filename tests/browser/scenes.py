"""Life in a realm for pictures: who listens, what is published, what is refused, in words of a real product."""

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
from playwright.sync_api import Page, expect

from tests.servers.product import Product

#: Who listens, by transport, user and channels; opened by one page.
_LISTENERS = [
    ("ws", "alice", ["orders.4711", "scores"]),
    ("ws", "bob", ["scores"]),
    ("ws", "", ["scores"]),
    ("sse", "carol", ["orders.4711"]),
    ("sse", "", ["scores"]),
    ("stream", "warehouse", ["orders.4711"]),
]
_LISTEN = """async (listeners) => {
  window.open_connections = listeners.map(([transport, url]) => {
    if (transport === "ws") return new WebSocket(url.replace(/^http/, "ws"));
    if (transport === "sse") return new EventSource(url);
    return fetch(url);
  });
}"""
ITEMS: list[tuple[str, dict[str, Any]]] = [
    ("scores", {"home": 1, "away": 0, "minute": 23}),
    ("orders.4711", {"state": "paid", "total": "59.90"}),
    ("scores", {"home": 1, "away": 1, "minute": 31}),
    ("orders.4711", {"state": "packed", "parcels": 2}),
    ("deploys", {"service": "checkout", "version": "2.14.0", "by": "alice"}),
    ("scores", {"home": 2, "away": 1, "minute": 58}),
    ("orders.4711", {"state": "shipped", "carrier": "DHL"}),
]


@dataclass(frozen=True, slots=True)
class Realm:
    """A realm of whoever is signed in, as its quick start shows it."""

    product: Product
    name: str
    key: str

    @classmethod
    def read(cls, page: Page, product: Product) -> "Realm":
        """Return the realm whose quick start is open in `page`."""
        expect(page.locator("#subscriber-state")).to_have_text("Connected")
        line = page.locator("[data-snippet=curl]").text_content() or ""
        return cls(product, page.url.split("/")[-3], line.split(":", 1)[1].split(" ", 1)[0])

    def publish(self, channel: str, data: object, *, key: str = "", item_id: str = "") -> int:
        """Publish one item; return the status of the answer."""
        item: dict[str, object] = {"channel": channel, "json-object": data}
        if item_id:
            item["id"] = item_id
        return httpx.post(
            f"{self.product.url}/realm/{self.name}/publish/",
            content=json.dumps({"items": [item]}),
            auth=(self.name, key or self.key),
            timeout=20,
        ).status_code

    def listen(self, page: Page) -> None:
        """Open all listeners in `page`, which stays with them."""
        page.goto("/style/")
        addresses = []
        for transport, user, channels in _LISTENERS:
            query = "&".join(f"channel={channel}" for channel in channels)
            if user:
                query += "&token=" + self._token(user, channels)
            addresses.append((transport, f"{self.product.url}/r/{self.name}/fanout/{transport}?{query}"))
        page.evaluate(_LISTEN, addresses)

    def _token(self, user: str, channels: list[str]) -> str:
        claims = {"iss": self.name, "sub": user, "exp": int(time.time()) + 3600}
        rights = {channel: ["subscribe"] for channel in channels}
        return jwt.encode(claims | {"channels": rights}, base64.b64decode(self.key), "HS256")

    def live(self) -> None:
        """Publish every item, and make the mistakes that people make."""
        for number, (channel, data) in enumerate(ITEMS):
            self.publish(channel, data, item_id=f"event-{number + 1}")
            if number == 3:
                self.publish("scores", {"home": 2}, key="a2V5IG9mIGFub3RoZXIgcmVhbG0=")
        httpx.post(
            f"{self.product.url}/realm/{self.name}/publish/",
            content=b'{"items": [{"channel": "scores", }]}',
            auth=(self.name, self.key),
            timeout=20,
        )

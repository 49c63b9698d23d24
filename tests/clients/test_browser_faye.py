"""Faye in Chromium: the published script, unmodified, and the one that a realm's site serves in its place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.clients.pages import PAGE_OF_THE_SITE, customers_server, open_page
from tests.servers.product import Product, ProductRealm
from tests.servers.publishing import publish

_CLIENT = """([url, transport]) => {
    window.client = new Faye.Client(url, { retry: 0.2 });
    for (const other of ["websocket", "eventsource", "cross-origin-long-polling"])
        if (transport !== other) client.disable(other);  // callback-polling is what it shakes hands by
    window.received = [];
}"""
#: Which script on whose page goes which way; EventSource and long-polling are for pages of the site's own origin.
WAYS = [
    ("published", "another page", "websocket"),
    ("published", "another page", "cross-origin-long-polling"),
    ("published", "another page", "callback-polling"),
    ("published", "own page", "eventsource"),
    ("published", "own page", "long-polling"),
    ("served by the site", "another page", "websocket"),
    ("served by the site", "another page", "cross-origin-long-polling"),
    ("served by the site", "own page", "websocket"),
]


@pytest.fixture(params=WAYS, ids=", ".join)
def page(
    request: pytest.FixtureRequest, chromium: Browser, node_packages: Path, product: Product, realm: ProductRealm
) -> Iterator[Page]:
    """A page with a client, which has only one way to go."""
    script, host, transport = request.param
    published = node_packages / "node_modules" / "faye" / "client" / "faye-browser-min.js"
    with customers_server() as address:
        served = f"{realm.site}/bayeux/static/faye-browser-min.js"
        where = address if host == "another page" else f"{product.url}{PAGE_OF_THE_SITE}"
        with open_page(chromium, where, published if script == "published" else served) as page:
            page.evaluate(_CLIENT, [f"{realm.site}/bayeux", transport])
            yield page
            used = page.evaluate("client._dispatcher?.connectionType")
            assert used in (None, transport)


def subscribe(page: Page, channel: str) -> None:
    page.evaluate(
        "async (name) => { await client.subscribe(name, (data) => received.push(data)); }",
        f"/{channel}",
    )


def until(page: Page, count: int) -> list[object]:
    page.wait_for_function(f"received.length >= {count}")
    received: list[object] = page.evaluate("received")
    return received


def test_items_arrive_in_order(page: Page, realm: ProductRealm, channel: str):
    subscribe(page, channel)
    for number in range(0, 12, 3):
        publish(realm, channel, number, number + 1, number + 2)

    assert until(page, 12) == list(range(12))


def test_a_refused_channel_fails_the_subscription(page: Page):
    told = page.evaluate(
        "client.subscribe('/meta/x', () => {}).then(() => 'ok', (error) => [error.code, error.params])"
    )

    assert told == [403, ["/meta/x"]]


def test_unsubscribing_ends_one_channel(page: Page, realm: ProductRealm, channel: str):
    subscribe(page, f"{channel}/a")
    subscribe(page, f"{channel}/b")
    page.evaluate("(name) => client.unsubscribe(name)", f"/{channel}/a")
    subscribe(page, f"{channel}/c")  # answered after the other was
    publish(realm, f"{channel}/a", "no")
    publish(realm, f"{channel}/b", "yes")

    assert until(page, 1) == ["yes"]


def test_a_server_that_starts_anew_is_found_again_without_a_reload(
    page: Page, product: Product, realm: ProductRealm, channel: str
):
    subscribe(page, channel)
    publish(realm, channel, "before")
    until(page, 1)

    product.stop()
    product.start()
    for _ in range(200):
        publish(realm, channel, "after")
        page.wait_for_timeout(100)
        if page.evaluate("received.length") > 1:
            break

    assert until(page, 2)[:2] == ["before", "after"]

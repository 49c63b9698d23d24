"""Pollymer in Chromium, unmodified, on our own long-poll: it polls again by itself, with the newest cursor."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.clients.pages import customers_server, open_page
from tests.servers.product import ProductRealm
from tests.servers.publishing import publish

_POLL = """([site, channel]) => {
    window.received = [];
    const poll = new Pollymer.Request({ recurring: true, maxDelay: 50, maxTries: -1 });
    let cursor = null;
    const url = () => `${site}/fanout/poll?channel=${channel}` +
        (cursor ? `&since=${encodeURIComponent(cursor)}` : "&timeout=0");
    poll.on("finished", (code, result) => {
        window.code = code;
        cursor = result.cursor;
        for (const item of result.items) received.push(item.data);
    });
    poll.start("GET", url);
}"""


def test_items_arrive_in_order_over_many_polls(
    chromium: Browser, node_packages: Path, realm: ProductRealm, channel: str
):
    script = node_packages / "node_modules" / "pollymer" / "dist" / "pollymer.js"
    with customers_server() as address, open_page(chromium, address, script) as page:
        page.evaluate(_POLL, [realm.site, channel])
        page.wait_for_function("window.code === 200")
        for number in range(0, 9, 3):
            publish(realm, channel, number, number + 1, number + 2)
            page.wait_for_function(f"received.length >= {number + 3}")

        assert page.evaluate("received") == list(range(9))

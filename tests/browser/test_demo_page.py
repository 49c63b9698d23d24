"""The page of `make demo-100k`: numbers, curves and the result, as they come."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import watched_page
from tests.load.crowd import Crowd
from tests.load.demo.page_server import serving_page
from tests.load.demo.show import Moments, Show, curve, judge

MOMENTS = Moments(published_at=10.0, answered_at=10.02, connect_s=1.5, bytes_before=1000, bytes_held=41_000_000)


@pytest.fixture
def show() -> Show:
    return Show("websocket", wanted=4000, edges=2)


@pytest.fixture
def address(show: Show) -> Iterator[str]:
    """The page of `show`, served from another thread: Playwright has this one's event loop."""
    found: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving_page(show) as page:
            found.append(page)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield found[0]
    over.set()
    thread.join(10)


@pytest.fixture
def demo_page(chromium: Browser) -> Iterator[Page]:
    yield from watched_page(chromium.new_context(viewport={"width": 360, "height": 740}))


def test_the_page_follows_the_demo_to_its_result(show: Show, address: str, demo_page: Page) -> None:
    demo_page.goto(address)
    expect(demo_page.locator("#phase")).to_contain_text("Starting Redis")

    show.climb = [(0.0, 0), (1.0, 2000)]
    show.enter("connecting")
    show.note(ready=2500, received=0)
    expect(demo_page.locator("#ready")).to_have_text("2,500")
    expect(demo_page.locator("#climb polyline")).to_have_count(1)

    crowds = [Crowd(1, 4000, arrivals=[10 + (number + 1) / 10_000 for number in range(4000)])]
    show.result, show.arrivals = judge(crowds, "websocket", MOMENTS), curve(crowds, 10.0)
    show.note(ready=4000, received=4000)
    show.enter("done")
    expect(demo_page.locator("#phase")).to_contain_text("Done.")
    expect(demo_page.locator("#max_ms")).to_have_text("400 ms")
    expect(demo_page.locator("#missing")).to_have_text("0")
    expect(demo_page.locator("#edges_bytes")).to_have_text("41 MB")
    expect(demo_page.locator("#arrivals polyline")).to_have_count(1)
    assert demo_page.evaluate("document.documentElement.scrollWidth <= innerWidth")

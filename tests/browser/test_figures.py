"""The ways to the first message and to an account, counted; `figures.json` holds what was reached."""

import subprocess
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, open_context
from tests.browser.figures import Walk, judge
from tests.browser.test_sandbox import newest_link
from tests.servers.product import Product

SIZES = {"desktop": DESKTOP, "phone": PHONE}
#: The first message may take this many times as long as loading a page without anything live; it took 3 to 5 times.
MOST_TIMES_A_PLAIN_PAGE = 25


def plain_page_s(page: Page) -> float:
    """Return how long a page takes on this machine now, once its files are in the cache."""
    page.goto("/accounts/login/")
    started = time.monotonic()
    page.goto("/accounts/signup/", wait_until="load")
    return time.monotonic() - started


@pytest.mark.parametrize("size", SIZES)
def test_the_first_message_takes_no_click_and_no_field(chromium: Browser, product: Product, size: str):
    context = open_context(chromium, product, size=SIZES[size])
    walk = Walk(f"first message, {size}")
    page = walk.begin(context)
    plain_s = plain_page_s(page)

    started = time.monotonic()
    page.goto("/")
    expect(page.locator("#subscriber-state")).to_have_text("Connected")
    walk.seconds["live"] = time.monotonic() - started
    command = page.locator("#sandbox-command").text_content() or ""
    # A client of the visitor's own: the page behind the QR code, as a phone would open it.
    phone = context.new_page()
    phone.goto(page.locator("#open-page").get_attribute("href") or "")
    expect(phone.locator("#subscriber-state")).to_have_text("Connected")
    subprocess.run(["bash", "-c", command], check=True, timeout=30, stdout=subprocess.DEVNULL)
    expect(phone.locator("#items")).to_contain_text("Hello from curl")
    walk.seconds["first message"] = time.monotonic() - started
    expect(page.locator("#items")).to_contain_text("Hello from curl")

    walk.take(page)
    context.close()
    judge(walk)
    assert walk.seconds["first message"] < MOST_TIMES_A_PLAIN_PAGE * plain_s


#: Like Lighthouse's phone: a processor four times slower, 150 ms to the server and back, 1.6 Mbit/s.
SLOWER_TIMES = 4
SLOW_NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
#: Seconds since navigation began, by the page's own clock; all scripts of the page have run at `DOMContentLoaded`.
_TIMES = """() => {
  const [navigation] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const { responseEnd, domContentLoadedEventEnd } = navigation;
  return { html: responseEnd / 1000, paint: (paint?.startTime ?? 0) / 1000, ready: domContentLoadedEventEnd / 1000 };
}"""
_FILES = """() => performance.getEntriesByType("resource")
  .filter(({ startTime }) => startTime < performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd)
  .map(({ name }) => name.split("/").at(-1))"""


def test_on_a_slow_phone_the_first_page_is_soon_of_use(chromium: Browser, product: Product):
    context = open_context(chromium, product, size=PHONE)
    context.set_default_timeout(40_000)
    walk = Walk("the first page, slow phone")
    page = walk.begin(context)
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Performance.enable")
    tools.send("Network.emulateNetworkConditions", SLOW_NETWORK)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER_TIMES})

    page.goto("/")
    expect(page.locator("#subscriber-state")).to_have_text("Connected", timeout=40_000)

    measured = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
    walk.seconds = page.evaluate(_TIMES) | {"in scripts": measured["ScriptDuration"]}
    files = page.evaluate(_FILES)
    walk.requests = len(files)
    walk.take(page)
    context.close()
    judge(walk)
    shown_after = [name.split(".")[0] for name in files if name.endswith((".js", ".css"))]
    assert shown_after == ["first_page"], "each file more is waited for"
    assert walk.seconds["in scripts"] < walk.seconds["ready"] / 2, "it is the network that one waits for, not us"


@pytest.mark.parametrize("size", SIZES)
def test_an_account_takes_one_field(chromium: Browser, product: Product, size: str):
    context = open_context(chromium, product, size=SIZES[size])
    walk = Walk(f"an account, {size}")
    page = walk.begin(context)
    page.goto("/")
    page.get_by_label("E-mail address").fill(f"figures-{size}@example.com")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#keep")).to_contain_text("A link is on its way")

    page.goto(newest_link(product))
    page.get_by_role("button", name="Keep it and create my account").click()
    page.wait_for_url("**/start/")

    walk.take(page)
    context.close()
    judge(walk)

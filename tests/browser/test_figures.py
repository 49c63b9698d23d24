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
MOST_KEYS = 40


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


def test_the_keyboard_alone_gets_there(chromium: Browser, product: Product):
    context = open_context(chromium, product)
    walk = Walk("first message, keyboard")
    page = walk.begin(context)
    page.goto("/")
    expect(page.locator("#subscriber-state")).to_have_text("Connected")

    for _ in range(MOST_KEYS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "send-button":
            break
    page.keyboard.press("Enter")

    expect(page.locator("#items")).to_contain_text("Hello from this page")
    walk.take(page)
    context.close()
    judge(walk)


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

"""Chromium in front of the real product. A test fails when its page logs an error or breaks the content policy."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, StorageState, expect, sync_playwright

from deploy.services import find_chromium
from tests.browser.figures import measured, walked
from tests.factories import PASSWORD
from tests.servers.node import node_packages
from tests.servers.product import Product, product

__all__ = ["node_packages", "product"]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 30_000
#: What Chromium itself logs when a server refuses or is away; some tests are about that.
EXPECTED = (
    "the server responded with a status of",
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "WebSocket is closed before",
)
DESKTOP = (1280, 800)
PHONE = (360, 740)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the ways through the pages cost."""
    if walked or measured:
        terminalreporter.section("ways through the pages")
        for line in [*(walk.line for walk in walked), *measured]:
            terminalreporter.line(line)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for the module: Playwright's own event loop must not be there while other modules run theirs."""
    path = find_chromium()
    assert path, "Chromium is not installed; `make test` installs it"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def open_context(
    chromium: Browser, product: Product, *, size: tuple[int, int] = DESKTOP, state: StorageState | None = None
) -> BrowserContext:
    """Return a browser of somebody of their own, signed in if a state is given."""
    context = chromium.new_context(
        base_url=product.url, viewport={"width": size[0], "height": size[1]}, storage_state=state
    )
    context.set_default_timeout(PATIENCE_MS)
    return context


def sign_up(page: Page, email: str) -> None:
    """Go from the first page to the quick start as a new person does."""
    page.goto("/")
    page.get_by_role("link", name="Create an account").first.click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("**/start/")


@pytest.fixture(scope="module")
def alices_state(chromium: Browser, product: Product) -> StorageState:
    """The cookies of Alice, who has signed up: once per module, since signing up is rate-limited."""
    context = open_context(chromium, product)
    sign_up(context.new_page(), f"alice-{os.urandom(4).hex()}@example.com")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(chromium: Browser, product: Product, alices_state: StorageState) -> Iterator[Page]:
    """A page of Alice's, on a desktop."""
    yield from watched_page(open_context(chromium, product, state=alices_state))


@pytest.fixture
def strangers_page(chromium: Browser, product: Product) -> Iterator[Page]:
    """A page of somebody who has never been here."""
    yield from watched_page(open_context(chromium, product))


def watched_page(context: BrowserContext) -> Iterator[Page]:
    """Yield a new page; afterwards no error may have come up in it."""
    page = context.new_page()
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(expected in message.text for expected in EXPECTED):
            problems.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


@pytest.fixture
def realm(page: Page) -> str:
    """A new realm of Alice's, whose quick start is open in `page`, subscribed and watching."""
    page.goto("/realms/")
    page.get_by_label("Label, if you like").fill("testing")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/start/")
    expect(page.locator("#subscriber-state")).to_have_text("Connected")
    expect(page.locator("#feed-state")).to_have_text("Live")
    return page.url.split("/")[-3]

"""Ways through the pages with the keyboard alone; `figures.json` holds how many keys each took. Text counts no keys."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser.conftest import open_context, sign_up
from tests.browser.figures import Walk, judge
from tests.browser.scenes import Realm
from tests.servers.product import Product

#: Whoever needs more has lost the way.
MOST_TABS = 60
_NAME_OF_FOCUSED = """() => {
  const { activeElement: node } = document;
  const labels = [...(node.labels ?? [])].map((label) => label.textContent).join(" ");
  return (node.getAttribute("aria-label") || labels || node.textContent).trim().replace(/\\s+/g, " ");
}"""


class Keyboard:
    """Hands on the keyboard of one page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def reach(self, words: str, *, backwards: bool = False) -> None:
        """Press Tab until something is focused whose name is `words`, or begins with them where they end in a space."""
        for _ in range(MOST_TABS):
            self._page.keyboard.press("Shift+Tab" if backwards else "Tab")
            name = self._page.evaluate(_NAME_OF_FOCUSED)
            if name == words or (words.endswith(" ") and name.startswith(words)):
                assert self._page.evaluate("document.activeElement.matches(':focus-visible')")
                return
        pytest.fail(f"{MOST_TABS} times Tab do not lead to {words!r}")

    def press(self, key: str = "Enter") -> None:
        self._page.keyboard.press(key)

    def write(self, text: str) -> None:
        self._page.keyboard.insert_text(text)


@pytest.fixture
def context(chromium: Browser, product: Product) -> Iterator[BrowserContext]:
    """The browser of somebody who has never been here."""
    context = open_context(chromium, product)
    yield context
    context.close()


@pytest.fixture
def own_context(chromium: Browser, product: Product, alices_state: StorageState) -> Iterator[BrowserContext]:
    """Alice's browser."""
    context = open_context(chromium, product, state=alices_state)
    yield context
    context.close()


def own_realm(context: BrowserContext, product: Product) -> Realm:
    """Return a realm that is only this test's."""
    page = context.new_page()
    page.goto("/realms/")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/start/")
    realm = Realm.read(page, product)
    page.close()
    return realm


def test_to_the_first_message(context: BrowserContext):
    walk = Walk("first message, keyboard")
    page = walk.begin(context)
    page.goto("/")
    expect(page.locator("#subscriber-state")).to_have_text("Connected")
    hands = Keyboard(page)

    hands.reach("Publish")
    hands.press()

    expect(page.locator("#items")).to_contain_text("Hello from this page")
    walk.take(page)
    judge(walk)


def test_to_keeping_the_sandbox(context: BrowserContext):
    walk = Walk("keep it, keyboard")
    page = walk.begin(context)
    page.goto("/")
    expect(page.locator("#subscriber-state")).to_have_text("Connected")
    hands = Keyboard(page)

    hands.reach("E-mail address")
    hands.write("keyboard@example.com")
    hands.press()

    expect(page.locator("#keep")).to_contain_text("A link is on its way")
    walk.take(page)
    judge(walk)


def mailed_code(context: BrowserContext, product: Product) -> str:
    """Return the code that was mailed to whoever signs in in this browser."""
    (session,) = (cookie["value"] for cookie in context.cookies() if cookie["name"] == "sessionid")
    code = """
from django.contrib.sessions.backends.db import SessionStore
print(SessionStore(sys.argv[1])["account_login"]["state"]["stages"]["login_by_code"]["data"]["code"])
"""
    return product.run_python(code, session).strip()


def test_to_signing_in_by_a_mailed_code(context: BrowserContext, product: Product):
    sign_up(context.new_page(), "by-code@example.com")
    context.clear_cookies()
    walk = Walk("sign in by a code, keyboard")
    page = walk.begin(context)
    page.goto("/accounts/login/")
    hands = Keyboard(page)

    hands.reach("Send me a code instead")
    hands.press()
    page.wait_for_url("**/login/code/")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    hands.write("by-code@example.com")
    hands.press()
    page.wait_for_url("**/code/confirm/")
    expect(page.get_by_label("Code from the mail")).to_be_focused()
    hands.write(mailed_code(context, product))
    hands.press()

    page.wait_for_url("**/realms/**")
    walk.take(page)
    judge(walk)


def test_from_the_console_filtered_and_opened_to_an_edited_copy(own_context: BrowserContext, product: Product):
    realm = own_realm(own_context, product)
    walk = Walk("edited copy, keyboard")
    page = walk.begin(own_context)
    page.goto(f"/realms/{realm.name}/console/")
    expect(page.locator("#feed-state")).to_have_text("Live")
    realm.publish("news", {"text": "first"})
    realm.publish("weather", {"text": "rain"})
    expect(page.locator(".event")).to_have_count(2)
    hands = Keyboard(page)

    hands.reach("Channel")
    hands.write("news")
    expect(page.locator(".event")).to_have_count(1)
    hands.reach("Events, newest first")
    hands.press("Tab")
    hands.press()
    expect(page.get_by_role("button", name="Publish an edited copy…")).to_be_visible()
    hands.reach("Publish an edited copy…")
    hands.press()
    text = page.get_by_label("Item", exact=True)
    expect(text).to_be_focused()
    whole = text.input_value()
    hands.press("Control+a")
    hands.write(whole.replace("first", "second"))
    hands.reach("Publish")
    hands.press()
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("Stored in")
    hands.press("Escape")

    expect(page.locator(".event").first).to_contain_text("second")
    walk.take(page)
    judge(walk)


def test_through_the_life_of_a_key(own_context: BrowserContext, product: Product):
    realm = own_realm(own_context, product)
    walk = Walk("new key for old, keyboard")
    page = walk.begin(own_context)
    page.goto(f"/realms/{realm.name}/")
    hands = Keyboard(page)

    hands.reach("Add a key; label, if you like")
    hands.write("web servers")
    hands.press()
    expect(page.locator(".key")).to_have_count(2)
    old = page.locator(".key", has_not_text="web servers")
    hint = (old.locator(".key-hint").text_content() or "").removeprefix("…")
    hands.reach(f"Revoke… key {hint}", backwards=True)
    hands.press()
    hands.reach("Revoke this key")
    hands.press()

    expect(page.locator(".key")).to_have_count(1)
    expect(page.locator(".key")).to_contain_text("web servers")
    assert realm.publish("news", {}) == 401
    walk.take(page)
    judge(walk)


def test_to_ending_a_connection(own_context: BrowserContext, product: Product):
    realm = own_realm(own_context, product)
    walk = Walk("disconnect, keyboard")
    page = walk.begin(own_context)
    crowd = own_context.new_page()
    crowd.goto(f"/realms/{realm.name}/start/")
    expect(crowd.locator("#subscriber-state")).to_have_text("Connected")
    page.goto(f"/realms/{realm.name}/connections/")
    expect(page.locator(".inspector tbody tr")).to_have_count(1)
    hands = Keyboard(page)

    hands.reach("Disconnect… ")
    hands.press()
    hands.reach("Disconnect")
    hands.press()

    expect(page.locator(".notice-success")).to_contain_text("was ended")
    walk.take(page)
    judge(walk)

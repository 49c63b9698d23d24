"""The live console in a real browser."""

import base64
import json
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.servers.product import Product


class Publisher:
    """Publishes to a realm with the key that its page shows."""

    def __init__(self, url: str, realm: str, key: str) -> None:
        self._url = f"{url}/realm/{realm}/publish/"
        self._credential = "Basic " + base64.b64encode(f"{realm}:{key}".encode()).decode()

    def publish(self, channel: str, *texts: str) -> None:
        """Publish each text, all in one request."""
        items = [{"channel": channel, "json-object": {"text": text}} for text in texts]
        body = json.dumps({"items": items}).encode()
        request = urllib.request.Request(self._url, body, {"Authorization": self._credential})
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200

    def fail(self) -> None:
        """Send a publish that is refused."""
        request = urllib.request.Request(self._url, b"{", {"Authorization": self._credential})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10)


@pytest.fixture
def publisher(page: Page, realm: str, product: Product) -> Publisher:
    """A publisher of the realm whose console is open in `page`."""
    line = page.locator("[data-snippet=curl]").text_content()
    assert line
    key = line.split(":", 1)[1].split(" ", 1)[0]
    page.goto(f"/realms/{realm}/console/")
    expect(page.locator("#feed-state")).to_have_text("Live")
    return Publisher(product.url, realm, key)


def test_an_empty_console_says_how_to_make_something_happen(page: Page, publisher: Publisher):
    expect(page.get_by_role("heading", name="Nothing has happened")).to_be_visible()
    expect(page.locator("#connections-empty")).to_be_visible()


def test_what_happens_is_shown_newest_first(page: Page, publisher: Publisher):
    publisher.publish("news", "first")
    publisher.publish("news", "second")
    publisher.fail()

    kinds = page.locator(".event-kind")
    expect(kinds).to_have_text(["Refused", "Published", "Published"])
    expect(page.locator(".event").nth(1)).to_contain_text("second")
    expect(page.locator("#events-empty")).to_be_hidden()


def test_events_are_filtered_by_kind_and_text(page: Page, publisher: Publisher):
    publisher.publish("news", "apples")
    publisher.publish("weather", "pears")
    publisher.fail()
    expect(page.locator(".event")).to_have_count(3)

    page.get_by_role("checkbox", name="Refused").uncheck()
    expect(page.locator(".event")).to_have_count(2)
    page.get_by_label("Text anywhere").fill("WEATHER")
    expect(page.locator(".event")).to_have_count(1)
    page.get_by_label("Text anywhere").fill("bananas")
    expect(page.get_by_text("No event matches the filter")).to_be_visible()

    page.get_by_role("button", name="Show everything").click()
    expect(page.locator(".event")).to_have_count(3)


def test_while_paused_nothing_moves_and_nothing_is_lost(page: Page, publisher: Publisher):
    publisher.publish("news", "before")
    expect(page.locator(".event")).to_have_count(1)

    page.get_by_role("button", name="Pause").click()
    publisher.publish("news", "while paused")
    expect(page.get_by_role("button", name="Resume (1 new)")).to_be_visible()
    expect(page.locator(".event")).to_have_count(1)

    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".event")).to_have_count(2)
    expect(page.locator(".event").first).to_contain_text("while paused")


def test_the_stream_is_cleared(page: Page, publisher: Publisher):
    publisher.publish("news", "x")
    expect(page.locator(".event")).to_have_count(1)

    page.get_by_role("button", name="Clear").click()

    expect(page.locator(".event")).to_have_count(0)


def test_many_events_leave_the_newest_500_and_say_what_is_left_out(page: Page, publisher: Publisher):
    for batch in range(4):
        publisher.publish("flood", *[f"{batch}-{number}" for number in range(500)])

    expect(page.locator(".event-note").first).to_contain_text("not shown")
    assert page.locator(".event").count() <= 500


def test_an_event_opens_to_everything_that_is_known(page: Page, publisher: Publisher):
    publisher.publish("news", "<b>bold</b>")

    page.locator(".event summary").first.click()

    expect(page.locator(".event-full")).to_contain_text('"via": "rest"')
    assert page.locator("#events b").count() == 0


def test_who_is_connected_comes_and_goes(page: Page, publisher: Publisher, realm: str):
    subscriber = page.context.new_page()
    subscriber.goto(f"/realms/{realm}/start/")
    expect(page.locator("#connection-count")).to_have_text("1")
    expect(page.locator(".connection")).to_contain_text("websocket")

    page.reload()
    expect(page.locator("#connection-count")).to_have_text("1")

    subscriber.close()
    expect(page.locator("#connection-count")).to_have_text("0")
    expect(page.locator("#connections-empty")).to_be_visible()


def test_events_are_filtered_by_channel_user_and_transport(page: Page, publisher: Publisher, realm: str):
    subscriber = page.context.new_page()
    subscriber.goto(f"/realms/{realm}/start/")
    expect(page.locator("#connections")).to_contain_text("hello")
    page.get_by_role("button", name="Clear").click()
    publisher.publish("news", "x")
    publisher.publish("hello", "y")
    expect(page.locator(".event-kind")).to_have_text(["Delivered", "Published", "Published"])

    page.get_by_label("Channel", exact=True).fill("news")
    expect(page.locator(".event-kind")).to_have_text(["Published"])
    page.get_by_label("Channel", exact=True).fill("")
    page.locator("#filter-transport").select_option("websocket")
    expect(page.locator(".event-kind")).to_have_text(["Delivered"])
    page.get_by_label("User", exact=True).fill("42")
    expect(page.get_by_text("No event matches the filter")).to_be_visible()


def test_a_flood_says_how_much_of_it_is_shown(page: Page, publisher: Publisher):
    publisher.publish("flood", *map(str, range(500)))

    expect(page.locator("#sampling")).to_contain_text("Showing 1 in")


def test_an_edited_copy_is_published(page: Page, publisher: Publisher):
    publisher.publish("news", "first")
    page.locator(".event summary").first.click()
    page.get_by_role("button", name="Publish an edited copy").click()
    text = page.get_by_label("Item", exact=True)
    expect(text).to_be_focused()
    text.fill(text.input_value().replace("first", "second"))
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()

    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("Stored in")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".event").first).to_contain_text("second")


def test_the_inspector_renews_itself_and_ends_a_connection(page: Page, realm: str):
    subscriber = page.context.new_page()
    page.goto(f"/realms/{realm}/connections/")
    expect(page.get_by_text("Nobody is connected")).to_be_visible()

    subscriber.goto(f"/realms/{realm}/start/")
    expect(page.locator(".inspector tbody tr")).to_have_count(1)
    expect(page.locator(".inspector")).to_contain_text("websocket")
    page.locator(".inspector summary").click()
    page.get_by_label("Tell it to come back").uncheck()
    page.get_by_role("button", name="Disconnect", exact=True).click()

    expect(page.locator(".notice-success")).to_contain_text("was ended")
    subscriber.close()
    expect(page.get_by_text("Nobody is connected")).to_be_visible()

"""Webhooks as a person meets them: an inspector instead of a server, a test event, its delivery, at every size."""

from playwright.sync_api import Browser, StorageState, expect

from tests.browser.conftest import open_context, watched_page
from tests.browser.test_every_page import SIZES, alices_realm, check
from tests.servers.product import Product

__all__ = ["alices_realm"]


def test_a_test_event_arrives_in_an_inspector_and_is_explained(
    chromium: Browser, product: Product, alices_state: StorageState, alices_realm: str
):
    for page in watched_page(open_context(chromium, product, state=alices_state)):
        page.goto(f"/realms/{alices_realm}/webhooks/")
        page.get_by_role("button", name="Open an inspector").click()
        expect(page.get_by_text("Nothing yet")).to_be_visible()
        inspector = page.url
        page.get_by_role("button", name="Send test event").click()
        delivery = page.url
        page.goto(inspector)

        expect(page.get_by_text("Signature valid")).to_be_visible()
        expect(page.get_by_label("Body")).to_contain_text("This is a test")
        page.goto(delivery)
        expect(page.get_by_text("Attempt 1", exact=True)).to_be_visible()
        expect(page.get_by_text("waiting for the answer")).to_be_visible()
        page.get_by_text("Headers and answer").click()
        expect(page.get_by_label("Answer")).to_contain_text('"signature": "valid"')
        endpoint = page.get_by_role("link", name="inspector").get_attribute("href")
        assert endpoint is not None
        for size in SIZES:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            for path in (inspector, delivery, endpoint):
                check(page, path)

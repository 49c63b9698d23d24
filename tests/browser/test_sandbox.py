"""The first page: a channel of the visitor's own, used, watched from elsewhere, and kept."""

import re
import subprocess

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import DESKTOP, PHONE, open_context, watched_page
from tests.servers.product import Product


def open_landing(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#subscriber-state")).to_have_text("Connected")


def command_of(page: Page) -> str:
    command = page.locator("#sandbox-command").text_content()
    assert command
    return command


def run(command: str) -> str:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30).stdout


def newest_link(product: Product) -> str:
    """Return the path of the last link that was mailed."""
    code = """
from accounts.models import OutgoingEmail
import time
for _ in range(50):
    mail = OutgoingEmail.objects.order_by("pk").last()
    if mail is not None:
        break
    time.sleep(0.1)
from onboarding.keeping import _SALT
from django.core import signing
from realms.models import Sandbox
sandbox = Sandbox.objects.filter(mails_sent__gt=0).latest("opened_at")
print("/keep/" + signing.dumps([sandbox.realm_id, mail.recipients[0]], salt=_SALT, compress=True) + "/")
"""
    return product.run_python(code).strip()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_first_page_has_a_live_channel_that_curl_reaches(
    chromium: Browser, product: Product, size: tuple[int, int]
):
    for page in watched_page(open_context(chromium, product, size=size)):
        open_landing(page)

        assert run(command_of(page)).startswith("Published")

        expect(page.locator("#items")).to_contain_text("Hello from curl")
        page.locator("#send-text").fill("from the page")
        page.locator("#send-button").click()
        expect(page.locator("#items")).to_contain_text("from the page")


def test_what_is_published_to_a_misspelt_channel_is_told(strangers_page: Page):
    open_landing(strangers_page)
    expect(strangers_page.locator("#feed-state")).to_have_text("Live")

    run(command_of(strangers_page).replace('"hello"', '"helo"'))

    expect(strangers_page.locator("#items")).to_have_text("Published to “helo”. Here is what comes on “hello”.")


def test_what_is_sent_before_htmx_is_there_is_sent_when_it_comes(strangers_page: Page):
    held: list[Route] = []
    strangers_page.route("**/htmx*", lambda route: held.append(route))
    with strangers_page.expect_request("**/htmx*"):
        open_landing(strangers_page)
    strangers_page.locator("#send-text").fill("early")
    strangers_page.locator("#send-button").click()
    strangers_page.evaluate("window.sameDocument = true")

    expect(strangers_page.locator("#items")).not_to_contain_text("early")
    held[0].continue_()

    expect(strangers_page.locator("#items")).to_contain_text("early")
    assert strangers_page.evaluate("window.sameDocument")


def test_where_htmx_does_not_come_forms_are_answered_with_pages(strangers_page: Page):
    strangers_page.route("**/htmx*", lambda route: route.fulfill(status=503))
    open_landing(strangers_page)

    strangers_page.locator("#send-text").fill("all the same")
    strangers_page.locator("#send-button").click()

    expect(strangers_page.get_by_role("main")).to_contain_text("Sent to the channel hello")


def test_the_sandbox_is_there_again_after_a_reload(strangers_page: Page):
    open_landing(strangers_page)
    command = command_of(strangers_page)

    strangers_page.reload()

    assert command_of(strangers_page) == command
    expect(strangers_page.locator("#subscriber-state")).to_have_text("Connected")


def test_the_page_behind_the_qr_code_receives_on_another_device(
    chromium: Browser, product: Product, strangers_page: Page
):
    open_landing(strangers_page)
    address = strangers_page.locator("#open-page").get_attribute("href")
    assert address
    for phone in watched_page(open_context(chromium, product, size=PHONE)):
        phone.goto(address)
        expect(phone.locator("#subscriber-state")).to_have_text("Connected")
        expect(strangers_page.locator("#arrivals-others")).to_have_text("1 other subscriber connected")

        run(command_of(strangers_page))

        expect(phone.locator("#items")).to_contain_text("Hello from curl")
        phone.goto("/s/nosuch/hello/")
        expect(phone.locator("#subscriber-state")).not_to_have_text("Connected")


def test_a_wrong_key_is_explained_on_the_first_page(strangers_page: Page):
    open_landing(strangers_page)
    expect(strangers_page.locator("#feed-state")).to_have_text("Live")

    run(re.sub(r"-u (\S+):\S+", r"-u \1:wrong", command_of(strangers_page)))

    expect(strangers_page.locator(".refusal")).to_contain_text("of no key of realm")
    run(command_of(strangers_page))
    expect(strangers_page.locator(".refusal")).to_have_count(0)


def test_keeping_takes_one_field_and_changes_nothing_that_is_connected(
    chromium: Browser, product: Product, strangers_page: Page
):
    page = strangers_page
    open_landing(page)
    command = command_of(page)
    page.get_by_label("E-mail address").fill("keeper@example.com")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#keep")).to_contain_text("A link is on its way to keeper@example.com")

    for reader in watched_page(open_context(chromium, product)):
        reader.goto(newest_link(product))
        reader.get_by_role("button", name="Keep it and create my account").click()
        reader.wait_for_url("**/start/")
        expect(reader.get_by_text("It is yours now.")).to_be_visible()

        assert run(command).startswith("Published")
        expect(page.locator("#items")).to_contain_text("Hello from curl")
        expect(reader.locator("#items")).to_contain_text("Hello from curl")


def test_without_a_script_the_form_does_it(chromium: Browser, product: Product):
    context = chromium.new_context(base_url=product.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Give me a channel").click()

    assert run(command_of(page)).startswith("Published")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Sent to the channel hello.")).to_be_visible()
    context.close()


def test_a_sandbox_is_limited_and_calls_nobody(strangers_page: Page):
    open_landing(strangers_page)
    command = command_of(strangers_page).replace("\\\n", " ")
    match = re.search(r"-u (\S+):(\S+) .* (http\S+)/publish/", command, re.DOTALL)
    assert match
    realm, key, api = match[1], match[2], match[3]
    with httpx.Client(auth=(realm, key)) as publisher:
        large = publisher.post(f"{api}/publish/", json={"items": [{"channel": "hello", "json-object": "x" * 20_000}]})
        called = publisher.post(f"{api}/channel/hello/hrq-subscriptions/", data={"url": "http://example.com/"})
        routed = publisher.post(f"{api}/http/default/", data={"host": "example.com", "port": "80"})

    assert large.status_code == 413
    assert "the realm's limit is 16,384" in large.text
    for refusal in (called, routed):
        assert refusal.status_code == 403
        assert "a sandbox can't" in refusal.text
        assert "keep the sandbox first" in refusal.text

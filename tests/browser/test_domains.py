"""Domains in a real browser: a name added, proven in place, set up and removed; with and without a script."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.servers.product import Product


def add_name(page: Page, realm: str, name: str) -> None:
    page.goto(f"/realms/{realm}/domains/")
    page.get_by_label("Add a name of your own").fill(name)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_a_name_is_added_and_its_proof_looked_for_in_place(page: Page, realm: str):
    add_name(page, realm, f"push.{realm}.example.com")
    expect(page.get_by_text("To be proven")).to_be_visible()
    expect(page.get_by_text(f"_fanout-challenge.push.{realm}.example.com", exact=True)).to_be_visible()

    page.get_by_role("button", name="Look for the proof now").click()

    expect(page.get_by_text(re.compile("DNS: .*Web server: .*"))).to_be_visible(timeout=30_000)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("Last looked on")).to_be_visible()


def test_a_local_name_works_at_once_and_is_set_up(page: Page, realm: str, product: Product):
    name = f"push.{realm}.localhost"
    add_name(page, realm, name)
    expect(page.get_by_text("Proven", exact=True)).to_be_visible()

    page.get_by_label("Your servers").fill("localhost:3000\nhttps://backup.example.com:8443")
    page.get_by_label("as WebSockets").check()
    page.get_by_text("Path rules, headers, browsers").click()
    page.get_by_label("Path rules").fill("/live/ here as /fanout/")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Your servers")).to_have_value("http://localhost:3000\nhttps://backup.example.com:8443")
    expect(page.get_by_label("as WebSockets")).to_be_checked()
    page.get_by_role("link", name="All domains").click()
    expect(page.get_by_text("passed on to localhost:3000, else backup.example.com:8443")).to_be_visible()


def test_a_mistake_is_shown_at_its_line(page: Page, realm: str):
    page.goto(f"/realms/{realm}/domains/default/")
    page.get_by_label("Your servers").fill("https://app.example.com\nftp://app.example.com")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Line 2: 'ftp://app.example.com' is no server.")).to_be_visible()
    expect(page.get_by_label("Your servers")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Your servers")).to_have_value("https://app.example.com\nftp://app.example.com")


def test_the_grip_url_is_shown_on_request(page: Page, realm: str):
    page.goto(f"/realms/{realm}/domains/")
    expect(page.get_by_text("key=base64:")).to_be_hidden()

    page.get_by_text("Show it").click()

    expect(page.get_by_text(re.compile(rf"/realm/{realm}\?iss={realm}&key=base64:"))).to_be_visible()


def test_a_name_is_removed_after_a_question(page: Page, realm: str):
    name = f"old.{realm}.localhost"
    add_name(page, realm, name)

    page.locator("summary", has_text="Remove…").click()
    page.get_by_role("button", name=f"Remove {name}").click()

    expect(page.get_by_text(f"{name} is removed.")).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)


@pytest.fixture
def page_without_script(chromium: Browser, product: Product, alices_state: StorageState) -> Iterator[Page]:
    context = chromium.new_context(base_url=product.url, storage_state=alices_state, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_everything_works_without_a_script(page_without_script: Page, page: Page, realm: str):
    plain, name = page_without_script, f"plain.{realm}.localhost"
    add_name(plain, realm, name)
    plain.get_by_label("Your servers").fill("https://app.example.com")
    plain.get_by_role("button", name="Save").click()
    expect(plain.get_by_text("Saved.")).to_be_visible()

    add_name(plain, realm, f"plain.{realm}.example.com")
    plain.get_by_role("button", name="Look for the proof now").click(timeout=30_000)

    expect(plain.get_by_text(re.compile("DNS: .*Web server: .*"))).to_be_visible(timeout=30_000)

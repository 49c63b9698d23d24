"""Keys, labels and deletion in a real browser, with htmx."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import sign_up


def test_the_label_is_changed_in_place(page: Page, realm: str):
    page.goto(f"/realms/{realm}/")
    page.get_by_label("Label", exact=True).fill("renamed")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#realm-name")).to_have_text("renamed")
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Label", exact=True)).to_have_value("renamed")


def test_a_key_is_shown_and_hidden(page: Page, realm: str):
    key = (page.locator("[data-snippet=curl]").text_content() or "").split(":", 1)[1].split(" ", 1)[0]
    page.goto(f"/realms/{realm}/")
    expect(page.get_by_text(key)).to_have_count(0)

    page.get_by_role("button", name="Show key").click()
    expect(page.get_by_text(key, exact=True)).to_be_visible()
    expect(page.locator(".key-secret")).to_contain_text("key=base64:")

    page.get_by_role("link", name="Hide key").click()
    expect(page.locator(".key-secret")).to_have_count(0)


def test_keys_are_rotated_without_a_gap(page: Page, realm: str):
    page.goto(f"/realms/{realm}/")
    page.get_by_label("Add a key").fill("new servers")
    page.get_by_role("button", name="Add key").click()
    expect(page.locator(".key")).to_have_count(2)
    expect(page.locator(".key").nth(1).locator(".key-secret")).to_be_visible()

    old = page.locator(".key").nth(0)
    old.locator("summary").click()
    old.get_by_role("button", name="Revoke this key").click()

    expect(page.get_by_text("The key is revoked.")).to_be_visible()
    expect(page.locator(".key")).to_have_count(1)
    expect(page.locator(".key")).to_contain_text("new servers")


def test_the_last_key_stays_and_the_page_says_why(page: Page, realm: str):
    page.goto(f"/realms/{realm}/")

    page.locator(".key summary").click()
    page.get_by_role("button", name="Revoke this key").click()

    expect(page.get_by_text("This is the realm's only live key.")).to_be_visible()
    expect(page.locator(".key")).to_have_count(1)


def test_escape_closes_the_question_and_goes_back_to_the_button(page: Page, realm: str):
    page.goto(f"/realms/{realm}/")
    summary = page.locator(".key summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Revoke this key")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name="Revoke this key")).to_be_hidden()
    expect(summary).to_be_focused()


def test_a_realm_is_deleted(page: Page, realm: str):
    page.goto(f"/realms/{realm}/")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_label("Realm ID").fill("something else")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("Nothing was deleted.")).to_be_visible()

    page.get_by_label("Realm ID").fill(realm)
    page.get_by_role("button", name="Delete for good").click()

    expect(page.get_by_text(f"The realm {realm} is deleted.")).to_be_visible()


def test_signing_out_ends_the_session(strangers_page: Page):
    page = strangers_page
    sign_up(page, "leaving@example.com")
    quick_start = page.url

    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Create an account").first).to_be_visible()

    page.goto(quick_start)
    expect(page).to_have_url(re.compile("/accounts/login/"))

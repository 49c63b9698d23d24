"""The way from the first page to the first message, as people walk it."""

import json
import re
import subprocess

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.conftest import DESKTOP, PHONE, open_context, sign_up
from tests.servers.product import Product

STEPS = ("#step-subscribed", "#step-published", "#step-delivered")
LANGUAGES = ["curl", "python", "javascript", "node", "php", "ruby", "go", "java"]
#: How soon a refusal must be on the page.
REFUSAL_MS = 1000


def snippet(page: Page, language: str) -> str:
    text = page.locator(f"[data-snippet={language}]").text_content()
    assert text
    return text


def run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=30).stdout


def publish(page: Page, *, data: str | None = None, credential: str | None = None, options: str = "") -> str:
    """Run the page's curl line, with another body or credential if given; return what the server says."""
    line = snippet(page, "curl")
    if data is not None:
        line = re.sub(r"-d '.*?' ", lambda _: f"-d @- {options} ", line, flags=re.DOTALL)
    if credential is not None:
        line = re.sub(r"-u \S+", f"-u {credential}", line)
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, input=data or "")
    return done.stdout


def say(page: Page, text: str) -> None:
    assert publish(page, data=json.dumps({"items": [{"channel": "hello", "json-object": {"text": text}}]})).startswith(
        "Published"
    )


def expect_ticks(page: Page, *done: bool) -> None:
    for step, is_done in zip(STEPS, done, strict=True):
        if is_done:
            expect(page.locator(f"{step}[data-done]")).to_be_visible()
        else:
            expect(page.locator(f"{step}:not([data-done])")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_the_first_page_to_the_first_message(chromium: Browser, product: Product, size: tuple[int, int]):
    context = open_context(chromium, product, size=size)
    page = context.new_page()

    sign_up(page, f"new-{size[0]}@example.com")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your first message")
    expect_ticks(page, True, False, False)
    expect(page.locator("#next")).to_be_hidden()

    assert run(["bash", "-c", snippet(page, "curl")]).startswith("Published")

    expect(page.locator("#items")).to_contain_text("Hello from curl")
    expect_ticks(page, True, True, True)
    expect(page.locator("#next")).to_be_visible()
    page.reload()
    expect_ticks(page, True, True, True)
    context.close()


def test_the_command_to_listen_runs_as_it_stands(page: Page, realm: str):
    page.get_by_text("Listen in a terminal, too").click()
    command = page.locator("#listen-in-terminal pre").text_content()
    assert command
    listener = subprocess.Popen(["bash", "-c", f"exec {command}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert listener.stdout is not None
        listener.stdout.readline()  # it is subscribed
        say(page, "to the terminal")
        while b"to the terminal" not in (line := listener.stdout.readline()):
            assert line, "the stream ended"
    finally:
        listener.kill()
        listener.communicate()


def test_send_it_for_me(page: Page, realm: str):
    page.get_by_label("No terminal at hand?").fill("pressed a button")
    page.get_by_role("button", name="Send it for me").click()

    expect(page.locator("#sent")).to_have_text("Sent.")
    expect(page.locator("#items")).to_contain_text("pressed a button")
    expect_ticks(page, True, True, True)


@pytest.mark.parametrize(
    ("data", "credential", "words"),
    [
        (None, "REALM:AAAA", "401 wrong_key"),
        ('{"items":', None, "400 invalid_request"),
        ('{"items":[{"json-object":1}]}', None, "items[0]: has no channel"),
        ('{"items":[{"channel":"hello"}]}', None, "400 invalid_item"),
    ],
    ids=["wrong key", "broken JSON", "no channel", "no format"],
)
def test_a_refused_publish_is_explained_within_a_second(
    page: Page, realm: str, data: str | None, credential: str | None, words: str
):
    expect_ticks(page, True, False, False)

    publish(page, data=data, credential=credential and credential.replace("REALM", realm))

    card = page.locator(".refusal")
    expect(card).to_contain_text(words, timeout=REFUSAL_MS)
    assert card.locator(".refusal-cause").inner_text().startswith("Refused: ")
    assert len(card.locator(".refusal-cure").inner_text()) > 10
    expect_ticks(page, True, False, False)

    say(page, "right this time")
    expect(card).to_have_count(0)


def test_nothing_that_is_published_becomes_part_of_the_page(page: Page, realm: str):
    hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>'

    say(page, hostile)

    expect(page.locator(".item-data")).to_have_text(hostile)
    assert page.locator("#items img, #items script").count() == 0


def test_a_lost_connection_resumes_without_gap_or_repetition(page: Page, realm: str):
    routes: list[WebSocketRoute] = []

    def keep(route: WebSocketRoute) -> None:
        routes.append(route)
        route.connect_to_server()

    page.route_web_socket(re.compile("/fanout/ws"), keep)
    page.reload()
    state = page.locator("#subscriber-state")
    expect(state).to_have_text("Connected")
    say(page, "one")
    expect(page.locator(".item-data")).to_have_text(["one"])

    routes[0].close(code=1001)
    expect(state).not_to_have_text("Connected")
    say(page, "two")
    say(page, "three")

    expect(page.locator(".item-data")).to_have_text(["three", "two", "one"])
    expect(state).to_have_text("Connected")
    assert "since=" in routes[-1].url


def test_the_page_comes_back_after_the_server_does(page: Page, realm: str, product: Product):
    expect_ticks(page, True, False, False)

    product.kill()
    expect(page.locator("#subscriber-state")).to_contain_text("coming back")
    product.start()

    expect(page.locator("#subscriber-state")).to_have_text("Connected", timeout=30_000)
    expect(page.locator("#feed-state")).to_have_text("Live", timeout=30_000)
    say(page, "after the restart")
    expect(page.locator("#items")).to_contain_text("after the restart")


def test_languages_are_chosen_by_keyboard_and_remembered(page: Page, realm: str):
    tabs = page.get_by_role("tab")
    tabs.nth(0).focus()

    page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    expect(page.locator("#panel-python")).to_be_visible()
    expect(page.locator("#panel-curl")).to_be_hidden()
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel", name="Java", exact=True)).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(0)).to_be_focused()
    page.keyboard.press("End")

    page.reload()
    expect(page.locator("#panel-java")).to_be_visible()


def test_a_snippet_is_copied_whole(page: Page, realm: str):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy the curl snippet").click()

    expect(page.locator("#panel-curl .copy")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == snippet(page, "curl")


def test_the_page_says_all_it_can_without_a_script(chromium: Browser, product: Product, page: Page, realm: str):
    context = chromium.new_context(
        base_url=product.url, storage_state=page.context.storage_state(), java_script_enabled=False
    )
    plain = context.new_page()
    plain.goto(f"/realms/{realm}/start/")

    for language in LANGUAGES:
        assert plain.locator(f"[data-snippet={language}]").is_visible()
    plain.get_by_role("button", name="Send it for me").click()

    assert plain.get_by_text("Sent to the channel hello.").is_visible()
    context.close()


def test_one_click_and_one_line_show_a_webhook_with_its_signature(page: Page, realm: str):
    page.get_by_role("link", name="Call webhooks").click()
    page.get_by_role("button", name="Open the inspector").click()
    expect(page.locator("#feed-state")).to_have_text("Live")
    expect(page.locator(".step[data-done]")).to_have_count(1)
    publish(page, credential=f"{realm}:AAAA")
    expect(page.locator(".refusal")).to_contain_text("401 wrong_key")

    assert run(["bash", "-c", snippet(page, "curl")]).startswith("Published")

    expect(page.get_by_text("Signature valid")).to_be_visible()
    expect(page.locator("#receiver")).to_contain_text("Order 42 is paid")
    expect(page.locator(".step[data-done]")).to_have_count(3)
    expect(page.get_by_role("link", name="Verify what comes")).to_be_visible()
    expect(page.locator(".refusal")).to_have_count(0)

"""The quick start for web applications, gone through with a real application behind the product."""

import re

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MS
from tests.servers.command import free_port
from tests.servers.grip_app import running_app


def use_origin(page: Page, realm: str, origin: str) -> None:
    page.goto(f"/realms/{realm}/start/")
    page.get_by_role("link", name="Stream from my web application").click()
    page.get_by_label("Where your application runs").fill(origin)
    page.get_by_role("button", name=re.compile("Use it|Change")).click()
    expect(page.get_by_text(f"Requests are passed on to {origin} now.")).to_be_visible()
    expect(page.locator("#feed-state")).to_have_text("Live")


def test_every_step_ticks_itself(page: Page, realm: str):
    with running_app() as port:
        use_origin(page, realm, f"http://127.0.0.1:{port}")
        hold = page.locator("pre", has_text="curl -N").inner_text().removeprefix("curl -N ").strip()
        push = page.locator("pre", has_text="curl -u").inner_text()
        key = re.search(rf"{realm}:(\S+)", push)[1].strip("'")  # type: ignore[index]

        with httpx.stream("GET", hold, timeout=PATIENCE_MS / 1000, trust_env=False) as held:
            chunks = held.iter_text()
            assert next(chunks) == "Connected to app\n"
            for step in ("passed_on", "held"):
                expect(page.locator(f"#step-{step}")).to_have_attribute("data-done", "")
            expect(page.locator("#saw-passed_on")).to_contain_text("GET /hello, 200 from")

            item = {"channel": "hello", "http-stream": {"content": "Hello from your server\n"}}
            url = hold.replace("/r/", "/realm/").replace("/hello", "/publish/")
            httpx.post(url, json={"items": [item]}, auth=(realm, key), trust_env=False).raise_for_status()

            assert next(chunks) == "Hello from your server\n"
            expect(page.locator("#step-pushed")).to_have_attribute("data-done", "")
            expect(page.locator("#saw-pushed")).to_contain_text("to 1 held connection")

    page.reload()
    expect(page.locator(".step[data-done]")).to_have_count(3)


def test_what_the_server_does_wrong_is_said(page: Page, realm: str, product):
    origin = f"http://127.0.0.1:{free_port()}"
    use_origin(page, realm, origin)

    answer = httpx.get(f"{product.url}/r/{realm}/hello", trust_env=False)

    assert answer.status_code == 502
    expect(page.locator(".refusal-cause")).to_contain_text("Your server:")
    expect(page.locator(".refusal-facts")).to_contain_text("GET /hello")


def test_examples_are_chosen_by_tab_and_a_bad_origin_is_refused(page: Page, realm: str):
    page.goto(f"/realms/{realm}/start/app/")
    page.get_by_role("tab", name="Rails").click()
    expect(page.locator("[data-snippet=rails]")).to_be_visible()
    expect(page.locator("[data-snippet=django]")).to_be_hidden()

    page.get_by_label("Where your application runs").fill("ftp://app.example.com")
    page.get_by_role("button", name="Use it").click()

    expect(page.get_by_text("'ftp://app.example.com' is no server.")).to_be_visible()
    expect(page.get_by_label("Where your application runs")).to_have_value("ftp://app.example.com")

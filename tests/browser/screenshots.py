"""Pictures of every page, at four sizes, light and dark: `make screenshots` writes them to var/screenshots.

`ARGS='landing'` takes those whose name holds the word; `--size phone` and `--scheme dark` narrow it further. `--readme`
takes those of the README instead, into docs/img.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # the cast of the tests is made of models
django.setup()

from deploy.services import find_chromium  # noqa: E402
from tests.browser.conftest import ARGUMENTS, open_context, sign_up  # noqa: E402
from tests.browser.scenes import Realm  # noqa: E402
from tests.servers.product import Product  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var/screenshots"
README_FOLDER = ROOT / "docs/img"
README_SIZE = (1280, 860)
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1280, 800), "wide": (2560, 1440)}
SCHEMES = ("light", "dark")
#: How tall a picture may be; a page that is longer is cut.
MAX_HEIGHT = 4000

#: Name → path. REALM is the signed-in person's realm.
OPEN_PAGES = {
    "landing": "/",
    "signup": "/accounts/signup/",
    "login": "/accounts/login/",
    "login-code": "/accounts/login/code/",
    "password-reset": "/accounts/password/reset/",
    "docs": "/docs/",
    "docs-publish": "/docs/api/publish/",
    "docs-search": "/docs/search/?q=resume",
    "changelog": "/changelog/",
    "plans": "/plans/",
    "status": "/status/",
    "style": "/style/",
    "missing": "/no/such/page/",
    "api": "/api/",
}
OWN_PAGES = {
    "realms": "/realms/",
    "realm": "/realms/REALM/",
    "quick-start": "/realms/REALM/start/",
    "quick-start-notify": "/realms/REALM/start/notify/",
    "quick-start-webhooks": "/realms/REALM/start/webhooks/",
    "quick-start-app": "/realms/REALM/start/app/",
    "console": "/realms/REALM/console/",
    "domains": "/realms/REALM/domains/",
    "rules": "/realms/REALM/rules/",
    "forms-only": "/realms/REALM/rules/add/",
    "access": "/realms/REALM/access/",
    "usage": "/realms/REALM/usage/",
    "members": "/realms/REALM/members/",
    "device": "/accounts/device/?code=BCDF-GHJK",
    "tokens": "/realms/REALM/tokens/",
    "audit": "/realms/REALM/audit/",
    "webhooks": "/realms/REALM/webhooks/",
    "webhook-deliveries": "/realms/REALM/webhooks/deliveries/",
    "xmpp": "/realms/REALM/xmpp/",
    "why": "/realms/REALM/why/",
    "password-change": "/accounts/password/change/",
    "delete": "/realms/REALM/delete/",
}
#: Taken once the realm is in use: subscribers are connected, items and mistakes have come.
USED_PAGES = {
    "connections-used": "/realms/REALM/connections/",
    "why-message": "/realms/REALM/why/?about=event-6",
    "why-channel": "/realms/REALM/why/?about=scoers",
    "why-user": "/realms/REALM/why/?about=alice",
    "usage-used": "/realms/REALM/usage/",
}


def main() -> None:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only pages whose name holds one of these")
    parser.add_argument("--size", choices=SIZES, action="append")
    parser.add_argument("--scheme", choices=SCHEMES, action="append")
    parser.add_argument("--readme", action="store_true", help="the pictures of the README, into docs/img")
    asked = parser.parse_args()
    with _product() as product, _chromium() as chromium:
        if asked.readme:
            _take_readme_pictures(chromium, product)
            return
        count = _take_all(chromium, product, asked)
    print(f"{count} pictures in {FOLDER.relative_to(Path.cwd())}")


def _take_all(chromium: Browser, product: Product, asked: argparse.Namespace) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    count = 0
    for scheme in asked.scheme or SCHEMES:
        for size in asked.size or SIZES:
            width, least = SIZES[size]
            for name, page in _pages(chromium, product, size=size, scheme=scheme, words=asked.words):
                _settle(page)
                height = min(MAX_HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
                page.set_viewport_size({"width": width, "height": max(height, least)})
                page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png")
                page.set_viewport_size({"width": width, "height": least})
                count += 1
    return count


def _take_readme_pictures(chromium: Browser, product: Product) -> None:
    """Write docs/img/{landing,quick-start,console,why}.png."""

    def take(page: Page, name: str) -> None:
        _settle(page)
        page.screenshot(path=README_FOLDER / f"{name}.png")

    with _context(chromium, product, README_SIZE, "light") as context:
        page = context.new_page()
        _use_landing(page)
        take(page, "landing")
    with _context(chromium, product, README_SIZE, "light") as context:
        page = context.new_page()
        sign_up(page, "alice@example.com")
        realm = Realm.read(page, product)
        realm.publish("hello", {"text": "Hello from curl"})
        page.locator("#items").get_by_text("Hello from curl").wait_for()
        take(page, "quick-start")
        page.goto(f"/realms/{realm.name}/console/")
        realm.listen(context.new_page())
        page.locator("#connection-count").get_by_text("6").wait_for()
        realm.live()
        take(page, "console")
        page.goto(f"/realms/{realm.name}/why/?about=scoers")
        take(page, "why")


def _use_landing(page: Page) -> None:
    page.goto("/")
    for text in ("Goal for the home side: 2 to 1", "Order 4711 has been packed", "Hello from curl"):
        page.locator("#send-text").fill(text)
        page.locator("#send-button").click()
        page.get_by_text(text, exact=True).wait_for()


def _pages(
    chromium: Browser, product: Product, *, size: str, scheme: str, words: list[str]
) -> Iterator[tuple[str, Page]]:
    """Yield each page, open; the tour of a stranger first, then that of somebody with an account."""

    def wanted(name: str) -> bool:
        return not words or any(word in name for word in words)

    with _context(chromium, product, SIZES[size], scheme) as context:
        page = context.new_page()
        for name, path in OPEN_PAGES.items():
            if wanted(name):
                page.goto(path)
                yield name, page
        if wanted("login-code-sent"):
            page.goto("/accounts/login/code/")
            page.get_by_label("E-mail address").fill("alice@example.com")
            page.get_by_role("button", name="Send me a code").click()
            page.wait_for_url("**/code/confirm/")
            yield "login-code-sent", page
        if wanted("landing-used"):
            _use_landing(page)
            yield "landing-used", page
            page.goto(page.locator("#open-page").get_attribute("href") or "")
            yield "subscriber", page
    if not any(wanted(name) for name in [*OWN_PAGES, "quick-start-used", "console-used", *USED_PAGES]):
        return
    with _context(chromium, product, SIZES[size], scheme) as context:
        page = context.new_page()
        sign_up(page, f"{size}-{scheme}@example.com")
        realm = Realm.read(page, product)
        for name, path in OWN_PAGES.items():
            if wanted(name):
                page.goto(path.replace("REALM", realm.name))
                yield name, page
        yield from _used_pages(page, realm, wanted)


def _used_pages(page: Page, realm: Realm, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Page]]:
    """Yield pages of a realm in which something happens."""
    if wanted("quick-start-used"):
        page.goto(f"/realms/{realm.name}/start/")
        realm.publish("hello", {"text": "Hello from curl"})
        page.locator("#items").get_by_text("Hello from curl").wait_for()
        yield "quick-start-used", page
    if not any(wanted(name) for name in ["console-used", *USED_PAGES]):
        return
    page.goto(f"/realms/{realm.name}/console/")
    crowd = page.context.new_page()
    realm.listen(crowd)
    page.locator("#connection-count").get_by_text("6").wait_for()
    realm.live()
    if wanted("console-used"):
        yield "console-used", page
    for name, path in USED_PAGES.items():
        if wanted(name):
            page.goto(path.replace("REALM", realm.name))
            yield name, page
    crowd.close()


def _settle(page: Page) -> None:
    """Wait until what comes by itself has come: sandbox, connection, first events."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(700)


@contextmanager
def _context(chromium: Browser, product: Product, size: tuple[int, int], scheme: str) -> Iterator[BrowserContext]:
    context = open_context(chromium, product, size=size)
    try:
        context.set_default_timeout(20_000)
        for page in context.pages:
            page.close()
        context.on("page", lambda page: page.emulate_media(color_scheme=scheme, reduced_motion="reduce"))  # type: ignore[arg-type]  # one of two texts
        yield context
    finally:
        context.close()


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        sys.exit("Chromium is not installed; `make test` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _product() -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="fanout-screenshots-") as folder:
        product = Product(Path(folder), environment={"SANDBOXES_PER_ADDRESS": "1000", "SANDBOXES_PER_NETWORK": "1000"})
        try:
            product.start()
            yield product
        finally:
            product.kill()


if __name__ == "__main__":
    main()

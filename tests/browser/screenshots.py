"""Pictures of every page, at three sizes, light and dark: `make screenshots` writes them to var/screenshots.

`ARGS='landing'` takes those whose name holds the word; `--size phone` and `--scheme dark` narrow it further.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # the cast of the tests is made of models
django.setup()

from tests.browser.conftest import ARGUMENTS, open_context, sign_up  # noqa: E402
from tests.servers.product import Product  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "var/screenshots"
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
SCHEMES = ("light", "dark")
#: How tall a picture may be; a page that is longer is cut.
MAX_HEIGHT = 4000

#: Name → path. REALM is the signed-in person's realm.
OPEN_PAGES = {
    "landing": "/",
    "signup": "/accounts/signup/",
    "login": "/accounts/login/",
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
    "access": "/realms/REALM/access/",
    "usage": "/realms/REALM/usage/",
    "members": "/realms/REALM/members/",
    "device": "/accounts/device/?code=BCDF-GHJK",
    "tokens": "/realms/REALM/tokens/",
    "audit": "/realms/REALM/audit/",
}


def main() -> None:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only pages whose name holds one of these")
    parser.add_argument("--size", choices=SIZES, action="append")
    parser.add_argument("--scheme", choices=SCHEMES, action="append")
    asked = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    count = 0
    with _product() as product, _chromium() as chromium:
        for scheme in asked.scheme or SCHEMES:
            for size in asked.size or SIZES:
                for name, page in _pages(chromium, product, size=size, scheme=scheme, words=asked.words):
                    _settle(page)
                    height = min(MAX_HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
                    page.set_viewport_size({"width": SIZES[size][0], "height": max(height, SIZES[size][1])})
                    page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png")
                    page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
                    count += 1
    print(f"{count} pictures in {FOLDER.relative_to(Path.cwd())}")


def _pages(
    chromium: Browser, product: Product, *, size: str, scheme: str, words: list[str]
) -> Iterator[tuple[str, Page]]:
    """Yield each page, open; the tour of a stranger first, then that of somebody with an account."""

    def wanted(name: str) -> bool:
        return not words or any(word in name for word in words)

    with _context(chromium, product, size, scheme) as context:
        page = context.new_page()
        for name, path in OPEN_PAGES.items():
            if wanted(name):
                page.goto(path)
                yield name, page
        if wanted("landing-used"):
            page.goto("/")
            for text in ("Goal for the home side: 2 to 1", "Order 4711 has been packed", "Hello from curl"):
                page.locator("#send-text").fill(text)
                page.locator("#send-button").click()
                page.get_by_text(text, exact=True).wait_for()
            yield "landing-used", page
            page.goto(page.locator("#open-page").get_attribute("href") or "")
            yield "subscriber", page
    if not any(wanted(name) for name in OWN_PAGES):
        return
    with _context(chromium, product, size, scheme) as context:
        page = context.new_page()
        sign_up(page, f"{size}-{scheme}@example.com")
        realm = page.url.split("/")[-3]
        for name, path in OWN_PAGES.items():
            if wanted(name):
                page.goto(path.replace("REALM", realm))
                yield name, page


def _settle(page: Page) -> None:
    """Wait until what comes by itself has come: sandbox, connection, first events."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(700)


@contextmanager
def _context(chromium: Browser, product: Product, size: str, scheme: str) -> Iterator[BrowserContext]:
    context = open_context(chromium, product, size=SIZES[size])
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
    path = shutil.which("chromium") or shutil.which("chromium-browser")
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

"""What holds for each page at each size: it fits, it is labelled, its colours can be read."""

import re
import secrets
from itertools import product as each
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import DESKTOP, PHONE, open_context, watched_page
from tests.factories import PASSWORD
from tests.servers.product import Product

Scheme = Literal["light", "dark"]
TOKENS = Path(__file__).resolve().parents[2] / "static/css/tokens.css"
CODE_PAGE = "/accounts/login/code/confirm/"
OPEN_PAGES = ["/", "/accounts/signup/", "/accounts/login/", "/accounts/login/code/", "/accounts/password/reset/",
              "/no/such/page/", "/api/",
              "/docs/", "/docs/api/publish/", "/docs/search/?q=resume", "/changelog/", "/plans/", "/status/", "/style/",
              "/s/0a1b2c3d/hello/", CODE_PAGE]  # fmt: skip
OWN_PAGES = [
    "/realms/",
    "/realms/REALM/",
    "/realms/REALM/start/",
    "/realms/REALM/start/app/",
    "/realms/REALM/start/webhooks/",
    "/realms/REALM/start/notify/",
    "/realms/REALM/console/",
    "/realms/REALM/connections/",
    "/realms/REALM/why/",
    "/realms/REALM/why/?about=news",
    "/realms/REALM/delete/",
    "/realms/REALM/domains/",
    "/realms/REALM/domains/default/",
    "/realms/REALM/members/",
    "/realms/REALM/rules/",
    "/realms/REALM/rules/?channel=hello",
    "/realms/REALM/rules/add/",  # takes forms only, and says so
    "/realms/REALM/access/",
    "/realms/REALM/webhooks/",
    "/realms/REALM/webhooks/deliveries/",
    "/realms/REALM/xmpp/",
    "/realms/REALM/usage/",
    "/realms/REALM/tokens/",
    "/realms/REALM/audit/",
    "/accounts/tokens/",
    "/accounts/device/",
    "/accounts/password/change/",
]
SIZES = [PHONE, (768, 1024), (2560, 1440)]
#: Each size and each scheme once: colours do not hang on the size, nor the order of things on the scheme.
LOOKS: list[tuple[tuple[int, int], Scheme]] = [(DESKTOP, "light"), (PHONE, "dark")]
#: Until nothing moves: a change of scheme fades.
SETTLED = """async () => {
  for (let frame = 0; frame < 3 || document.getAnimations().length; frame += 1) {
    await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
    await new Promise(requestAnimationFrame);
  }
}"""

# Each returns the HTML of what is wrong.
UNNAMED = """() => {
  const nameOf = (node) => node.getAttribute("aria-label") || node.textContent.trim() ||
    [...(node.labels ?? [])].map((label) => label.textContent.trim()).join("");
  return [...document.querySelectorAll("input:not([type=hidden]), button, a[href], summary")]
    .filter((node) => node.checkVisibility() && !nameOf(node))
    .map((node) => node.outerHTML);
}"""
BROKEN_REFERENCES = """() => {
  const names = ["aria-describedby", "aria-labelledby", "aria-controls", "for"];
  const idsOf = (node) => names.flatMap((name) => (node.getAttribute(name) ?? "").split(" ")).filter(Boolean);
  return [...document.querySelectorAll("*")]
    .filter((node) => idsOf(node).some((id) => !document.getElementById(id)))
    .map((node) => node.outerHTML);
}"""
#: What is below the window has the styles it had when it was last laid out; shown all, it is as when one scrolls to it.
SHOW_ALL = """() => document.querySelectorAll("main > section")
  .forEach(({ style }) => { style.contentVisibility = "visible"; })"""
#: What axe finds, as rule and element.
AXE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)}`));
}"""
#: The share of the window that moved, times how far, up to now. Core Web Vitals call up to 0.1 good.
SHIFTED = """() => new Promise((done) => {
  let sum = 0;
  const add = (list) => list.getEntries().forEach((entry) => entry.hadRecentInput || (sum += entry.value));
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(sum), 50));
})"""
MOST_SHIFTED = 0.05
#: Bytes of our own style sheets and scripts, within the page, loaded or from the cache, before compression.
LOADED = """() => performance.getEntriesByType("resource")
  .filter(({ name }) => /[.](css|js)$/.test(name) && !name.includes("htmx"))
  .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0) +
  [...document.querySelectorAll("style")].reduce((sum, { textContent }) => sum + textContent.length, 0)"""
MOST_LOADED = 100_000
TWICE = """() => { const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  return ids.filter((id, place) => ids.indexOf(id) !== place); }"""


@pytest.fixture(scope="module")
def alices_realm(chromium: Browser, product: Product, alices_state: StorageState) -> str:
    """The realm that Alice has had since she signed up."""
    context = open_context(chromium, product, state=alices_state)
    page = context.new_page()
    page.goto("/realms/")
    realm = page.locator(".realm-card code").first.inner_text()
    context.close()
    return realm


def go_to(page: Page, path: str) -> None:
    """Open the page; before the one that takes a code, have one mailed: without that it leads elsewhere."""
    if path == CODE_PAGE:
        page.goto("/accounts/login/code/")
        address = f"nobody-{secrets.token_hex(4)}@example.com"  # three codes a minute go to the same
        page.get_by_label("E-mail address").fill(address)
        page.get_by_role("button", name="Send me a code").click()
        page.wait_for_url(f"**{CODE_PAGE}")
    page.goto(path)
    assert page.url.endswith(path), f"{path} leads to {page.url}"


def check(page: Page, path: str) -> None:
    go_to(page, path)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{path} is {overflow} px too wide"
    assert page.locator("h1").count() == 1
    assert page.title().endswith("Fanout Cloud") or "Fanout Cloud" in page.title()
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(BROKEN_REFERENCES) == []
    assert page.evaluate(TWICE) == []


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}px")
def test_open_pages_fit_and_are_labelled(chromium: Browser, product: Product, size: tuple[int, int]):
    for page in watched_page(open_context(chromium, product, size=size)):
        for path in OPEN_PAGES:
            check(page, path)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}px")
def test_own_pages_fit_and_are_labelled(
    chromium: Browser, product: Product, alices_state: StorageState, alices_realm: str, size: tuple[int, int]
):
    for page in watched_page(open_context(chromium, product, size=size, state=alices_state)):
        for path in OWN_PAGES:
            check(page, path.replace("REALM", alices_realm))


def find_faults(page: Page, axe: str) -> list[str]:
    """Return what is wrong with the open page: violations that axe finds, too much that moves, too much to load.

    Axe looks at it on a desktop and on a phone, without loading it anew.
    """
    shifted, loaded = page.evaluate(SHIFTED), page.evaluate(LOADED)
    page.evaluate(SHOW_ALL)
    page.evaluate(axe)
    faults: list[str] = []
    for (width, height), scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(SETTLED)
        faults += [f"{width} px, {scheme}: {fault}" for fault in page.evaluate(AXE)]
    assert loaded > 10_000, "the sheets and scripts were not counted"
    if shifted > MOST_SHIFTED:
        faults.append(f"layout shift {shifted:.3f}")
    if loaded > MOST_LOADED:
        faults.append(f"{loaded} bytes")
    return faults


@pytest.mark.timeout(300)  # many pages, each looked at twice
@pytest.mark.parametrize("whose", ["open", "own"])
def test_axe_finds_nothing_and_pages_are_small_and_nothing_moves(
    chromium: Browser,
    product: Product,
    alices_state: StorageState,
    alices_realm: str,
    node_packages: Path,
    whose: str,
):
    axe = (node_packages / "node_modules/axe-core/axe.min.js").read_text()
    paths = [path.replace("REALM", alices_realm) for path in OWN_PAGES] if whose == "own" else OPEN_PAGES
    found = {}
    for page in watched_page(open_context(chromium, product, state=alices_state if whose == "own" else None)):
        for path in paths:
            page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            go_to(page, path)
            if path == "/":
                expect(page.locator("#subscriber-state")).to_have_text("Connected")  # what comes then moves nothing
            found[path] = find_faults(page, axe)

    assert {path: faults for path, faults in found.items() if faults} == {}


def test_signing_in_shows_what_is_typed_on_request_and_says_what_is_wrong(strangers_page: Page):
    page = strangers_page
    page.goto("/accounts/login/")
    password = page.locator("#id_password")
    page.get_by_label("E-mail address").fill("nobody@example.com")
    password.fill(PASSWORD)

    page.get_by_role("button", name="Show the password").click()
    expect(password).to_have_attribute("type", "text")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert").first).to_be_visible()
    expect(password).to_have_attribute("type", "password")
    expect(page.get_by_label("E-mail address")).to_have_value("nobody@example.com")


def test_the_keyboard_reaches_the_content_first(strangers_page: Page):
    strangers_page.goto("/")

    strangers_page.keyboard.press("Tab")
    expect(strangers_page.get_by_role("link", name="Skip to the content")).to_be_focused()
    strangers_page.keyboard.press("Enter")

    expect(strangers_page.locator("#main")).to_be_focused()


def test_the_longest_state_of_a_subscriber_fits_a_phone(strangers_page: Page):
    strangers_page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    strangers_page.goto("/s/0a1b2c3d/hello/")

    strangers_page.locator("#subscriber-state").evaluate("(pill) => pill.textContent = 'Connection lost; coming back'")

    assert strangers_page.evaluate("document.documentElement.scrollWidth <= innerWidth")


#: The tabs of the realm that stick out of the window, by their words.
TABS_OUT_OF_SIGHT = """() => [...document.querySelectorAll(".realmbar-tab")].filter((tab) => {
  const { left, right } = tab.getBoundingClientRect();
  return left < 0 || right > innerWidth;
}).map((tab) => tab.textContent)"""


@pytest.mark.parametrize("width", [768, 1280, 2560])
def test_all_tabs_of_a_realm_are_in_sight(page: Page, alices_realm: str, width: int):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/realms/{alices_realm}/audit/")

    expect(page.locator(".realmbar-tab")).to_have_count(14)
    assert page.evaluate(TABS_OUT_OF_SIGHT) == []
    assert page.evaluate("(row => row.scrollWidth - row.clientWidth)(document.querySelector('.realmbar-tabs'))") <= 0


def test_on_a_phone_the_tabs_scroll_to_the_open_page_and_with_the_keyboard(page: Page, alices_realm: str):
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.goto(f"/realms/{alices_realm}/audit/")
    tabs = page.locator(".realmbar-tab")
    expect(page.locator(".realmbar-tab[aria-current=page]")).to_be_in_viewport(ratio=1)

    tabs.first.focus()
    for place in range(tabs.count()):
        expect(tabs.nth(place)).to_be_focused()
        expect(tabs.nth(place)).to_be_in_viewport(ratio=1)
        page.keyboard.press("Tab")


# -- colours ----------------

SURFACES = ["paper", "surface", "surface-sunk"]
TEXTS = [
    *each(["ink", "ink-soft", "link", "ok", "danger"], SURFACES),
    *each(["ink", "ink-soft", "on-brand-soft"], ["brand-soft"]),
    *each(["ink", "ok"], ["ok-soft"]),
    *each(["ink", "ink-soft", "danger"], ["danger-soft"]),
    *each(["code-ink", "code-soft", "code-name", "code-text"], ["code-paper"]),
    ("on-brand", "brand"),
]
SHAPES = [*each(["line-strong", "focus"], ["paper", "surface"])]


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """WCAG 2.2, definition of contrast ratio."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_meet_wcag_aa(scheme: str):
    light, dark = TOKENS.read_text().split("@media")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))

    too_faint = [
        (front, back)
        for pairs, least in ((TEXTS, 4.5), (SHAPES, 3.0))
        for front, back in pairs
        if contrast(colours[front], colours[back]) < least
    ]

    assert too_faint == []

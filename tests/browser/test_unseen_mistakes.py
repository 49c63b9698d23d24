"""Mistakes that no server sees, made in a real browser: "Why?" lists them with their cure, and its check names them."""

import shutil
import ssl
from collections.abc import Iterator, Mapping

import pytest
import trustme
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import open_context
from tests.fakes.faulty_proxy import FaultyProxy, faulty_proxy
from tests.flows.why_origins import origin
from tests.servers.product import Product

FETCH = "(url) => fetch(url).then((answer) => answer.status, (error) => error.name)"


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultyProxy]:
    """What stands between browsers and the product."""
    with faulty_proxy(0) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, proxy: FaultyProxy) -> Iterator[Product]:
    """The product behind that proxy: its addresses lead there."""
    folder = tmp_path_factory.mktemp("behind-a-proxy")
    product = Product(folder, environment={"PUBLIC_URL": f"http://localhost:{proxy.port}"})
    proxy.target_port = product.port
    product.start()
    yield product
    product.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def why(chromium: Browser, product: Product, proxy: FaultyProxy, alices_state: StorageState) -> Iterator[Page]:
    """The page "Why?" of Alice's realm, through a proxy without faults."""
    context = open_context(chromium, product, state=alices_state)
    page = context.new_page()
    page.goto(f"http://localhost:{proxy.port}/realms/")
    realm = page.locator(".realm-card code").first.inner_text()
    page.goto(f"http://localhost:{proxy.port}/realms/{realm}/why/?about=news")
    yield page
    proxy.heal()
    context.close()


def check(page: Page, code: str, outcome: str, words: str) -> None:
    """Have the browser look, and expect this of it."""
    page.get_by_role("button", name="Check from this browser").click()
    told = page.locator(f"#checks [data-code={code}]")
    expect(told).to_have_attribute("data-outcome", outcome, timeout=15_000)
    expect(told).to_contain_text(words)
    expect(page.get_by_role("button", name="Check from this browser")).to_be_enabled(timeout=15_000)
    expect(page.locator(f".why-unseen [data-code={code}]")).to_contain_text("What to do:")


def test_a_proxy_that_holds_streams_back(why: Page, proxy: FaultyProxy):
    proxy.buffers = True
    check(why, "buffering_proxy", "failed", "proxy_buffering off")

    proxy.heal()
    check(why, "buffering_proxy", "passed", "nothing holds it back")


def test_a_proxy_that_lets_no_websocket_through(why: Page, proxy: FaultyProxy):
    proxy.drops_upgrades = True
    check(why, "blocked_websocket", "failed", "Upgrade")

    proxy.heal()
    check(why, "blocked_websocket", "passed", "opens")


def test_an_https_page_that_asks_for_http(chromium: Browser, product: Product, why: Page):
    path = why.url.partition("/realms/")[2]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with faulty_proxy(product.port, tls=tls) as secure:
        context = chromium.new_context(ignore_https_errors=True, storage_state=why.context.storage_state())
        page = context.new_page()
        page.goto(f"https://localhost:{secure.port}/realms/{path}")

        check(page, "mixed_content", "failed", "Use the https:// address")
        context.close()


def answers_everybody(headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Answer as an application that has never heard of CORS."""
    return 200, {"Content-Type": "text/plain"}


def send_to_origin(page: Page, path: str, port: int, *, with_cors: bool) -> None:
    """Have the realm's requests passed on to a port of this machine."""
    page.goto(path)
    page.get_by_label("Your servers").fill(f"http://127.0.0.1:{port}")
    page.get_by_text("Path rules, headers, browsers").click()
    page.get_by_label("Let pages of other sites read the answers (CORS)").set_checked(with_cors)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice-success")).to_contain_text("Saved")


def test_an_answer_that_the_browser_keeps_from_the_page(chromium: Browser, product: Product, why: Page):
    base, realm = why.url.split("/realms/")[0], why.url.split("/")[4]
    with origin(answers_everybody) as customers_port:
        customers_context = chromium.new_context()
        customers_page = customers_context.new_page()
        logged: list[str] = []
        customers_page.on("console", lambda message: logged.append(message.text))
        customers_page.goto(f"http://127.0.0.1:{customers_port}/")
        send_to_origin(why, f"{base}/realms/{realm}/domains/default/", customers_port, with_cors=False)

        blocked = customers_page.evaluate(FETCH, f"{base}/r/{realm}/hello")
        send_to_origin(why, f"{base}/realms/{realm}/domains/default/", customers_port, with_cors=True)
        let_through = customers_page.evaluate(FETCH, f"{base}/r/{realm}/hello")
        own = customers_page.evaluate(FETCH, f"{base}/r/{realm}/fanout/poll?channel=news&timeout=0")
        customers_context.close()

    assert blocked == "TypeError"
    assert any("CORS policy" in line for line in logged)
    assert (let_through, own) == (200, 200)
    why.goto(f"{base}/realms/{realm}/why/?about=news")
    expect(why.locator(".why-unseen [data-code=cors_origin]")).to_contain_text("turn on CORS in the domain's settings")

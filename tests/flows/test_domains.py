"""Domains on the running product: live within a second, connections stay, realms never meet."""

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from tests.servers.dashboard import Dashboard
from tests.servers.grip_app import running_app
from tests.servers.listening import PATIENCE_S
from tests.servers.name_server import TXT, NameServer, running_name_server, text
from tests.servers.product import Product, running_product

#: "Within a second", on a busy machine with two cores.
LIVE_S = 3.0


@pytest.fixture(scope="module")
def names() -> Iterator[tuple[NameServer, int]]:
    with running_name_server() as running:
        yield running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, names: tuple[NameServer, int]) -> Iterator[Product]:
    """A product that asks the test's name server."""
    with running_product(tmp_path_factory.mktemp("domains"), DNS_SERVERS=f"127.0.0.1:{names[1]}") as product:
        yield product


@pytest.fixture
def alice(product: Product) -> Iterator[tuple[Dashboard, str]]:
    with Dashboard(product.url) as dashboard:
        yield dashboard, dashboard.sign_up(f"alice-{time.monotonic_ns()}@example.com")


@pytest.fixture
def bob(product: Product) -> Iterator[tuple[Dashboard, str]]:
    with Dashboard(product.url) as dashboard:
        yield dashboard, dashboard.sign_up(f"bob-{time.monotonic_ns()}@example.com")


def ask(product: Product, host: str, path: str = "/who") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{product.port}{path}", headers={"Host": host}, trust_env=False)


def wait_for(product: Product, host: str, status: int, words: str = "", path: str = "/who") -> float:
    """Ask until the answer is as wanted; return how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        answer = ask(product, host, path)
        if answer.status_code == status and words in answer.text:
            return time.monotonic() - began
    raise AssertionError(f"{host} still answers {answer.status_code}: {answer.text[:200]}")


def test_a_name_serves_when_its_record_is_there_and_not_before(
    product: Product, names: tuple[NameServer, int], alice: tuple[Dashboard, str], bob: tuple[Dashboard, str]
):
    host = f"push-{alice[1]}.acme.com"
    for dashboard, realm in (alice, bob):
        dashboard.add_domain(realm, host)
    with running_app("alice's") as port:
        alice[0].set_origins(alice[1], host, f"http://127.0.0.1:{port}")
        assert (ask(product, host).status_code, "unknown_host" in ask(product, host).text) == (404, True)
        bob[0].check_domain(bob[1], host)
        alice[0].check_domain(alice[1], host)
        assert ask(product, host).status_code == 404

        challenge = alice[0].challenge_of(alice[1], host)
        names[0].records[f"_fanout-challenge.{host}", TXT] = [text(challenge)]
        bob[0].check_domain(bob[1], host)  # the record is not his
        assert ask(product, host).status_code == 404
        alice[0].check_domain(alice[1], host)

        assert wait_for(product, host, 200, "alice's") < LIVE_S
        assert ask(product, host, f"/.well-known/fanout-challenge/{challenge}").text.strip() == challenge
        assert ask(product, host, f"/r/{bob[1]}/fanout/poll?channel=a").text == "Connected to alice's\n"
        assert ask(product, host, "/accounts/login/").text == "Connected to alice's\n"

        alice[0].remove_domain(alice[1], host)
        assert wait_for(product, host, 404, "unknown_host") < LIVE_S


def test_changes_are_live_and_connections_stay(product: Product, alice: tuple[Dashboard, str]):
    dashboard, realm = alice
    host = f"push.{realm}.localhost"
    dashboard.add_domain(realm, host)
    with running_app("one") as one, running_app("two") as two:
        dashboard.set_origins(realm, host, f"http://127.0.0.1:{one}")
        assert wait_for(product, host, 200, "one") < LIVE_S
        url = f"ws://{host}:{product.port}/fanout/ws?channel=a"
        with (
            socket.create_connection(("127.0.0.1", product.port), PATIENCE_S) as plain,
            connect(url, sock=plain, open_timeout=PATIENCE_S) as websocket,
            httpx.stream("GET", f"http://127.0.0.1:{product.port}/hello", headers={"Host": host}) as held,
        ):
            assert json.loads(websocket.recv(timeout=PATIENCE_S))["type"] == "welcome"
            chunks = held.iter_text()
            assert next(chunks) == "Connected to one\n"

            dashboard.set_origins(realm, host, f"http://127.0.0.1:{two}")
            assert wait_for(product, host, 200, "two") < LIVE_S
            dashboard.remove_domain(realm, host)
            assert wait_for(product, host, 404) < LIVE_S

            dashboard.push_line(realm, "hello", "still here\n")
            assert next(chunks) == "still here\n"


def test_the_next_server_takes_over(product: Product, alice: tuple[Dashboard, str]):
    dashboard, realm = alice
    with running_app("second") as port:
        dashboard.set_origins(realm, "default", "http://127.0.0.1:1", f"http://127.0.0.1:{port}")

        assert wait_for(product, f"{realm}.localhost", 200, "second")

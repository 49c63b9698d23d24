"""fanout.js in Chromium: two edges of one installation, a proxy with faults before one of them, and a page."""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import jwt
import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import chromium
from tests.browser_library.pages import Reader, open_reader
from tests.clients.pages import customers_server
from tests.fakes.faulty_proxy import FaultyProxy, faulty_proxy
from tests.servers.node import node_packages
from tests.servers.product import Product, ProductRealm

__all__ = ["chromium", "node_packages"]

_ADD_RULES = """
from realms.models import Realm
from realms.rule_settings import parse_settings
from realms.services import add_rule
realm = Realm.objects.get(pk=sys.argv[1])
for pattern, document in json.loads(sys.argv[2]).items():
    add_rule(realm=realm, pattern=pattern, settings=parse_settings(document))
"""
_RULES = {
    "log.*": {"history_items": 5000},
    "chat.*": {"client_publish": True, "presence": True, "join_leave": True, "history_items": 1000},
    "secret.*": {"access": "token", "history_items": 5000},
    "private.*": {"access": "token"},
    "brief.*": {"history_items": 3},
    "club.*": {"access": "token", "client_publish": True},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Installation:
    """Two servers of one installation: the first is the page's, the second publishes whatever becomes of the first.

    Each test asks for them anew, so that one for which a start took too long, or which left a server dead, is the only
    one that fails.
    """

    def __init__(self, data_dir: Path, redis_url: str) -> None:
        environment = {"REDIS_URL": redis_url, "KEEP_ALIVE_S": "1"}
        self.edges = Product(data_dir, environment=environment), Product(data_dir, environment=environment)

    def run(self) -> tuple[Product, Product]:
        """Start whichever does not run."""
        for edge in self.edges:
            if not edge.is_running:
                _start(edge)
        return self.edges

    @cached_property
    def realm(self) -> ProductRealm:
        """A realm with rules, made when first asked for."""
        _, second = self.edges
        realm = second.create_realm()
        second.run_python(_ADD_RULES, realm.realm, json.dumps(_RULES))
        return realm

    def kill(self) -> None:
        for edge in self.edges:
            edge.kill()


def _start(edge: Product) -> None:
    """Start it; what took too long on a busy machine is tried once more."""
    try:
        edge.start()
    except pytest.fail.Exception:
        edge.start()


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Installation]:
    """The installation of all tests here; nothing of it runs yet."""
    installation = Installation(tmp_path_factory.mktemp("fanout-js"), redis_url)
    yield installation
    installation.kill()


@pytest.fixture
def edges(installation: Installation) -> tuple[Product, Product]:
    """Both servers, running: the page's, and the one that publishes."""
    return installation.run()


@pytest.fixture
def realm(installation: Installation, edges: tuple[Product, Product]) -> ProductRealm:
    """A realm with rules, published to by the second server."""
    return installation.realm


@pytest.fixture(scope="package")
def _proxy(installation: Installation) -> Iterator[FaultyProxy]:
    with faulty_proxy(installation.edges[0].port) as proxy:
        yield proxy


@pytest.fixture
def proxy(_proxy: FaultyProxy, edges: tuple[Product, Product]) -> Iterator[FaultyProxy]:
    """The proxy before the first server, without faults to begin with."""
    _proxy.heal()
    _proxy.requests.clear()
    yield _proxy
    _proxy.heal()


@pytest.fixture(scope="package")
def _customers_page() -> Iterator[str]:
    with customers_server() as address:
        yield address


@pytest.fixture
def reader(chromium: Browser, proxy: FaultyProxy, realm: ProductRealm, _customers_page: str) -> Iterator[Reader]:
    """A customer's page with fanout.js, which reaches the first server through the proxy."""
    with open_reader(chromium, _customers_page, f"http://127.0.0.1:{proxy.port}/r/{realm.realm}") as reader:
        yield reader


@pytest.fixture
def channel() -> str:
    """A channel that keeps enough, and that no other test uses."""
    return f"log.{secrets.token_hex(4)}"


def make_token(realm: ProductRealm, *, life_s: float = 600, **claims: object) -> str:
    """Return a token of the realm."""
    claims = {"sub": "alice", "exp": time.time() + life_s, "channels": {"*": ["*"]}, **claims}
    return jwt.encode(claims, base64.b64decode(realm.key), algorithm="HS256")

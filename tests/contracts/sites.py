"""Fixtures of the transport contract: one site on our own server, with prepared sinks, and one under Daphne."""

import secrets
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.contracts.transports import PATIENCE_S, READERS, Reader, SiteUnderTest
from tests.servers.daphne import DaphneProduct
from tests.servers.product import Product, ProductRealm

ServedRealm = tuple[Product, ProductRealm]

#: Keep-alives come every second, so that tests need not wait for them.
_ENVIRONMENT = {"KEEP_ALIVE_S": "1"}


def _serve(product: Product) -> Iterator[ServedRealm]:
    try:
        product.start()
        yield product, product.create_realm()
        product.stop()
    finally:
        product.kill()


@pytest.fixture(scope="package")
def prepared_realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedRealm]:
    """A realm on our own server. Tests share it and use channels of their own."""
    yield from _serve(Product(tmp_path_factory.mktemp("prepared"), environment=_ENVIRONMENT))


@pytest.fixture(scope="package")
def plain_realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedRealm]:
    """A realm under Daphne. Tests share it and use channels of their own."""
    yield from _serve(DaphneProduct(tmp_path_factory.mktemp("plain"), environment=_ENVIRONMENT))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client with room for many streams at once; it speaks no TLS here, so it loads no certificates."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(verify=False, timeout=PATIENCE_S, limits=limits) as client:
        yield client


@pytest.fixture(params=["prepared", "plain"])
def site(request: pytest.FixtureRequest, http: httpx.AsyncClient) -> SiteUnderTest:
    """The site under both servers in turn."""
    product, realm = request.getfixturevalue(f"{request.param}_realm")
    return SiteUnderTest(product, realm, http)


@pytest.fixture(params=list(READERS))
def reader(request: pytest.FixtureRequest) -> type[Reader]:
    """The reader of each transport in turn."""
    return READERS[request.param]


@pytest.fixture
def channel() -> str:
    """The name of a channel that no other test uses."""
    return f"channel-{secrets.token_hex(4)}"

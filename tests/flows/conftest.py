"""Fixtures of the flows: the product, a realm of Alice's and one of Charlie's in it, a channel for each test."""

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.servers.listening import PATIENCE_S
from tests.servers.product import Product, ProductRealm, product_of_the_folder

__all__ = ["product_of_the_folder"]


@pytest.fixture(scope="module")
def realms(product: Product) -> list[ProductRealm]:
    return product.create_realms("alice@example.com", "charlie@example.com")


@pytest.fixture
def realm(realms: list[ProductRealm]) -> ProductRealm:
    """Alice's realm."""
    return realms[0]


@pytest.fixture
def foreign_realm(realms: list[ProductRealm]) -> ProductRealm:
    """Charlie's realm."""
    return realms[1]


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[list[Product]]:
    """Two processes of one installation, which tests may kill and start again."""
    data_dir = tmp_path_factory.mktemp("two")
    products = [Product(data_dir, environment={"REDIS_URL": redis_url}) for _ in range(2)]
    try:
        for product in products:
            product.start()
        yield products
    finally:
        for product in products:
            product.kill()


@pytest.fixture
def channel() -> str:
    """The name of a channel that no other test uses."""
    return f"channel-{secrets.token_hex(4)}"


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """An HTTP client; it speaks no TLS here, so it loads no certificates."""
    with httpx.Client(verify=False, timeout=PATIENCE_S, trust_env=False) as client:
        yield client

"""Fixtures of the flows: the product, a realm of Alice's and one of Charlie's in it, a channel for each test."""

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.servers.listening import PATIENCE_S
from tests.servers.product import Product, ProductRealm, product

__all__ = ["product"]


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


@pytest.fixture
def channel() -> str:
    """The name of a channel that no other test uses."""
    return f"channel-{secrets.token_hex(4)}"


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """An HTTP client; it speaks no TLS here, so it loads no certificates."""
    with httpx.Client(verify=False, timeout=PATIENCE_S, trust_env=False) as client:
        yield client

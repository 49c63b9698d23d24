"""What one test does to the servers, or a busy machine to their start, is no other test's trouble."""

import pytest

from tests.browser_library.conftest import Installation
from tests.servers.product import Product


def test_a_dead_server_is_started_for_whoever_comes_next_and_a_slow_start_is_tried_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = installation.run()
    first.kill()
    started: list[Product] = []
    really_start = Product.start

    def start(product: Product) -> None:
        started.append(product)
        if len(started) == 1:
            pytest.fail("it did not become ready")
        really_start(product)

    monkeypatch.setattr(Product, "start", start)
    installation.run()

    assert started == [first, first]
    assert first.is_running
    assert second.is_running

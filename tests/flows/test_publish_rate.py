"""A realm that publishes too fast, on the wire."""

from collections.abc import Iterator

import httpx
import pytest

from tests.servers.listening import listen
from tests.servers.product import Product, ProductRealm, running_product


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose realms may publish five items at once, and then one each second."""
    folder = tmp_path_factory.mktemp("slow")
    with running_product(folder, PUBLISH_ITEMS_PER_S="1", PUBLISH_ITEMS_BURST="5") as product:
        yield product


def test_too_fast_is_refused_with_when_to_come_back_and_others_are_not(
    http: httpx.Client, realm: ProductRealm, foreign_realm: ProductRealm, channel: str
):
    def publish(to: ProductRealm, *values: int) -> httpx.Response:
        items = [{"channel": channel, "json-object": value} for value in values]
        return http.post(f"{to.api}/publish/", json={"items": items}, auth=to.auth)

    with listen(realm.site, channel) as listener:
        accepted = publish(realm, 1, 2, 3, 4, 5)
        refused = publish(realm, 6, 7, 8, 9, 10)

        assert (accepted.status_code, refused.status_code) == (200, 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert refused.text.startswith(
            "this realm may publish 1 items per second, 5 at once (limit publish_items); try again in "
        )
        assert publish(foreign_realm, 1).status_code == 200
        assert listener.take(5) == [1, 2, 3, 4, 5]

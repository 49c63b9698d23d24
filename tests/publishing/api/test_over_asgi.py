"""The API in the real product: publishing, and threads of their own for what waits."""

import httpx
import pytest

from tests.servers.product import Product, product

__all__ = ["product"]


@pytest.mark.parametrize("count", [1, 5])
def test_items_are_published_through_the_real_product(product: Product, count: int):
    realm = product.create_realm()
    with httpx.Client(base_url=f"{product.url}/api/v1", auth=realm.auth, timeout=10.0) as client:
        body = {"items": [{"channel": "door", "json-object": number} for number in range(count)]}
        answer = client.post(f"/realms/{realm.realm}/items", json=body)

        assert answer.status_code == 200, answer.text
        assert [item["position"].partition(":")[2] for item in answer.json()["items"]] == [
            str(number + 1) for number in range(count)
        ]
        poll = httpx.get(f"{realm.site}/fanout/poll?channel=door&timeout=0")
        assert poll.json()["cursor"] == answer.json()["items"][-1]["position"]


def test_bodies_that_are_too_large_are_problems(product: Product):
    realm = product.create_realm()

    answer = httpx.post(
        f"{product.url}/api/v1/realms/{realm.realm}/items",
        auth=realm.auth,
        content=b'{"items": ["' + b"x" * 300_000 + b'"]}',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert answer.headers["Content-Type"] == "application/problem+json"

"""A publisher, for tests that are about subscribing."""

import httpx

from tests.servers.product import ProductRealm

PATIENCE_S = 15.0


def publish(realm: ProductRealm, channel: str, *values: object) -> None:
    """Publish each value as the JSON of one item, all in one request."""
    publish_items(realm, *({"channel": channel, "json-object": value} for value in values))


def publish_items(realm: ProductRealm, *items: dict[str, object]) -> None:
    """Publish items as they are, in one request."""
    answer = httpx.post(
        f"{realm.api}/publish/", json={"items": items}, auth=realm.auth, timeout=PATIENCE_S, trust_env=False
    )
    assert answer.status_code == 200, answer.text

"""The blocking client against the real product."""

import threading

import pytest

from fanoutcloud_client import Fanout, InvalidRequest, Item, ReceivedItem, Subscribed, Unauthorized
from tests.servers.product import Product, ProductRealm


def opened(product: Product, realm: ProductRealm) -> Fanout:
    return Fanout(product.url, realm.realm, key=realm.key)


def test_published_items_are_received_and_kept(product: Product, realm: ProductRealm) -> None:
    with opened(product, realm) as fanout, fanout.subscribe("door") as subscription:
        assert isinstance(next(subscription), Subscribed)
        fanout.publish("door", {"open": True}, id="18", tags={"floor": 2})
        item = next(subscription)
        history = fanout.history("door", limit=5)

    assert isinstance(item, ReceivedItem)
    assert (item.data, item.id, item.tags) == ({"open": True}, "18", {"floor": 2})
    assert [(kept.data, kept.position) for kept in history.items] == [({"open": True}, item.position)]


def test_a_subscription_waits_no_longer_than_it_is_told(product: Product, realm: ProductRealm) -> None:
    with opened(product, realm) as fanout, fanout.subscribe("quiet") as subscription:
        next(subscription)

        assert subscription.get(timeout_s=0.05) is None
        assert subscription.state.name == "connected"


def test_items_alone_can_be_had(product: Product, realm: ProductRealm) -> None:
    with opened(product, realm) as fanout, fanout.subscribe("alone") as subscription:
        next(subscription)
        fanout.publish_items([Item("alone", n) for n in range(3)])

        found = [item.data for _, item in zip(range(3), subscription.items(on_reset=pytest.fail), strict=False)]

    assert found == [0, 1, 2]


def test_one_client_serves_several_threads(product: Product, realm: ProductRealm) -> None:
    with opened(product, realm) as fanout:
        threads = [threading.Thread(target=fanout.publish, args=("threads", n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = fanout.history("threads")

    assert sorted(item.data for item in kept.items) == list(range(8))


def test_with_a_token_a_user_publishes_where_it_allows_it(product: Product, realm: ProductRealm) -> None:
    with opened(product, realm) as server:
        token = server.make_token({"chat.*": ["publish", "subscribe"]}, user="alice")
        with Fanout(product.url, realm.realm, token=token) as user:
            published = user.publish("chat.1", "hi", id="1")
            with pytest.raises(InvalidRequest, match="only data can be published"):
                user.publish("chat.1", "hi", tags={"a": 1})
            with pytest.raises(Unauthorized, match="signed with the realm's key"):
                user.make_token({})
        (kept,) = server.history("chat.1").items

    assert (kept.data, kept.id, kept.position) == ("hi", "alice:1", published.position)


def test_the_management_api_is_reached(product: Product, realm: ProductRealm) -> None:
    with opened(product, realm) as fanout:
        assert fanout.request("GET", f"/realms/{realm.realm}")["id"] == realm.realm
        assert fanout.presence("door").count == 0


def test_pages_of_history_follow_each_other(product: Product, realm: ProductRealm) -> None:
    with opened(product, realm) as fanout:
        fanout.publish_items([Item("paged", n) for n in range(5)])
        first = fanout.history("paged", limit=3)
        second = fanout.history("paged", limit=3, before=first.items[-1].position)

    assert [[item.data for item in page.items] for page in (first, second)] == [[4, 3, 2], [1, 0]]
    assert (first.has_more, second.has_more) == (True, False)

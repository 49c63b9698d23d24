"""What the compatible API has called is an endpoint."""

import pytest

from fanoutcloud.core.items import HttpRequest, Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.rules import NO_RULES
from publishing.models import WebhookEndpoint
from publishing.webhooks.interest import find_snapshot_with_webhooks
from publishing.webhooks.request_subscriptions import add_request_subscription, remove_request_subscription
from publishing.webhooks.selectors import list_endpoints
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import URL

ORDERS = ChannelName("orders")

pytestmark = pytest.mark.django_db


def test_a_subscribed_url_is_called_with_requests_of_its_channel_alone(created: CreatedRealm):
    add_request_subscription(realm=created.realm, channel=ORDERS, url=URL)
    add_request_subscription(realm=created.realm, channel=ORDERS, url=URL)

    snapshot = find_snapshot_with_webhooks(RealmId(created.realm.pk))
    assert snapshot is not None
    request = HttpRequest(body=b"hello")
    assert WebhookEndpoint.objects.get().url == URL
    assert snapshot.webhooks.wants_item(Item(ORDERS, http_request=request), NO_RULES, is_clients=False)
    assert not snapshot.webhooks.wants_item(Item(ORDERS, json_object=b"1"), NO_RULES, is_clients=False)
    assert not snapshot.webhooks.wants_item(Item(ChannelName("door"), http_request=request), NO_RULES, is_clients=False)


def test_it_ends_with_its_subscription_and_is_not_among_the_realms_own(created: CreatedRealm):
    add_request_subscription(realm=created.realm, channel=ORDERS, url=URL)
    own, all_ = list(list_endpoints(created.realm)), list(list_endpoints(created.realm, with_compatible=True))

    remove_request_subscription(realm=created.realm, channel=ORDERS, url=URL)

    assert (len(own), len(all_)) == (0, 1)
    assert not WebhookEndpoint.objects.exists()

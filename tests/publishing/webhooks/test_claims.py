"""What is due is found by looks into indexes: a backlog of one endpoint is never walked through."""

from collections.abc import Callable

import pytest
from django.db import connection

from publishing.models import WebhookDelivery
from publishing.webhooks.endpoints import CreatedEndpoint
from publishing.webhooks.relay import store_deliveries
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import item_event
from tests.publishing.webhooks.plans import CLAIMED, find_walks, find_walks_of_claims

pytestmark = pytest.mark.django_db

#: So many that walking through them costs clearly more than what an index gives, whatever sample the planner took.
BACKLOG = 30_000


@pytest.mark.parametrize("is_ordered", [False, True])
def test_nobody_walks_through_a_backlog(created: CreatedRealm, add: Callable[..., CreatedEndpoint], is_ordered: bool):
    endpoint = add(is_ordered=is_ordered).endpoint
    for begin in range(0, BACKLOG, 5_000):
        numbers = range(begin, begin + 5_000)
        store_deliveries([item_event(created.realm.pk, number, channel=f"door-{number % 5}") for number in numbers])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE publishing_webhookdelivery")

    assert find_walks_of_claims(endpoint) == []
    assert WebhookDelivery.objects.exclude(claim="").count() == (5 if is_ordered else CLAIMED)
    assert find_walks(lambda: WebhookDelivery.objects.filter(last_status=500).count()) != []  # it finds one

"""What is due is found by looks into indexes: a backlog of one endpoint is never walked through, by nobody."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.endpoints import CreatedEndpoint
from publishing.webhooks.relay import store_deliveries
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import item_event
from tests.publishing.webhooks.plans import (
    CLAIMED,
    find_walks,
    find_walks_of_claims,
    find_walks_of_lists,
    find_walks_of_others,
)

pytestmark = pytest.mark.django_db

#: So many that walking through them costs clearly more than what an index gives, whatever sample the planner took.
BACKLOG = 20_000


def fill(created: CreatedRealm) -> None:
    for begin in range(0, BACKLOG, 5_000):
        numbers = range(begin, begin + 5_000)
        store_deliveries([item_event(created.realm.pk, number, channel=f"door-{number % 5}") for number in numbers])


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE publishing_webhookdelivery")


@pytest.mark.parametrize("is_ordered", [False, True])
def test_nobody_walks_through_a_backlog(created: CreatedRealm, add: Callable[..., CreatedEndpoint], is_ordered: bool):
    endpoint = add(is_ordered=is_ordered).endpoint
    fill(created)
    analyze()

    assert find_walks_of_claims(endpoint) == []
    assert find_walks_of_lists(endpoint) == []
    assert find_walks_of_others(endpoint) == []
    assert WebhookDelivery.objects.exclude(claim="").count() == (5 if is_ordered else CLAIMED)
    assert find_walks(lambda: WebhookDelivery.objects.filter(last_status=500).count()) != []  # it finds one


def test_the_sweep_walks_through_no_backlog_that_is_older_than_what_it_forgets(
    created: CreatedRealm, endpoint: WebhookEndpoint
):
    fill(created)
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(days=10))
    analyze()

    assert find_walks_of_others(endpoint) == []

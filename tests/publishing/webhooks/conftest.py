"""Endpoints of Alice's realm."""

from collections.abc import Callable
from typing import Any

import pytest

from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.endpoints import CreatedEndpoint, create_endpoint
from publishing.webhooks.replays import send_test_event
from realms.services import CreatedRealm

URL = "https://hooks.acme.com/in"


@pytest.fixture
def add(created: CreatedRealm) -> Callable[..., CreatedEndpoint]:
    """Add an endpoint to Alice's realm."""

    def add_endpoint(url: str = URL, **settings: Any) -> CreatedEndpoint:
        return create_endpoint(realm=created.realm, url=url, **settings)

    return add_endpoint


@pytest.fixture
def endpoint(add: Callable[..., CreatedEndpoint]) -> WebhookEndpoint:
    return add().endpoint


@pytest.fixture
def delivery(created: CreatedRealm, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """A test event that waits."""
    return send_test_event(realm=created.realm, endpoint_id=endpoint.pk)

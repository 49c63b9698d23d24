"""Endpoints of Alice's realm, and a receiver."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from django.conf import settings

from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.webhooks import HookEvent
from fanoutcloud.way_out import make_gate_rules, open_way_out
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.endpoints import CreatedEndpoint, create_endpoint
from publishing.webhooks.pump import Pump
from publishing.webhooks.replays import send_test_event
from publishing.webhooks.sender import Sender
from realms.services import CreatedRealm
from tests.servers.webhook_sink import WebhookSink, running_sink

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


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_sink() as running:
        yield running


@pytest.fixture
def at_sink(
    sink: WebhookSink, add: Callable[..., CreatedEndpoint], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., WebhookEndpoint]:
    """Add an endpoint that leads to the sink, at a path."""
    monkeypatch.setattr(settings, "ALLOWED_TARGETS", ["127.0.0.0/8"])

    def add_at(path: str = "/in", **changes: Any) -> WebhookEndpoint:
        return add(f"{sink.url}{path}", **changes).endpoint

    return add_at


@pytest.fixture
def send_due() -> Callable[[], int]:
    """Make all calls that are due, as a worker does; return how many were made."""

    async def send() -> int:
        async with open_way_out(settings) as way_out:
            pump = Pump(Sender(way_out.client), make_gate_rules(settings))
            made = await pump.drain()
            await pump.close()
            return made

    return lambda: asyncio.run(send())


def item_event(realm: str, number: int, *, channel: str = "door", **changes: Any) -> HookEvent:
    """Return the event of an item that was published to a realm."""
    item = Item(ChannelName(channel), id=f"{number}", json_object=f'{{"n":{number}}}'.encode())
    item = msgspec.structs.replace(item, **changes)
    key = f"item:{channel}:abc:{number}"
    return HookEvent(RealmId(realm), "channel.message", key, 1_735_689_600.0, channel, f"abc:{number}", item)

"""From events to rows: who gets what."""

from collections.abc import Callable

import msgspec
import pytest

from accounts.models import User
from fanoutcloud.core.items import HttpRequest
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import HookEvent
from publishing.models import WebhookDelivery
from publishing.webhooks import relay
from publishing.webhooks.endpoints import CreatedEndpoint, create_endpoint, disable_endpoint, pause_endpoint
from publishing.webhooks.relay import store_deliveries
from realms.rule_settings import RuleSettings
from realms.services import CreatedRealm, add_rule
from tests.factories import make_realm
from tests.publishing.webhooks.conftest import URL, item_event

pytestmark = pytest.mark.django_db

Add = Callable[..., CreatedEndpoint]


def receivers() -> list[int]:
    return sorted(WebhookDelivery.objects.values_list("endpoint_id", flat=True))


def test_endpoints_get_events_of_their_channels_and_kinds_of_their_realm(
    created: CreatedRealm, add: Add, charlie: User
):
    everything = add().endpoint.pk
    doors = add(patterns=["door"]).endpoint.pk
    add(patterns=["orders.*"])
    add(events=["channel.occupied"])
    create_endpoint(realm=make_realm(charlie).realm, url=URL)

    store_deliveries([item_event(created.realm.pk, 1)])

    assert receivers() == [everything, doors]
    assert WebhookDelivery.objects.values("webhook_id").distinct().count() == 1


def test_an_event_that_comes_twice_is_stored_once(created: CreatedRealm, add: Add):
    add()
    events = [item_event(created.realm.pk, number) for number in (1, 2)]

    store_deliveries([*events, events[0]])
    store_deliveries(events)

    assert WebhookDelivery.objects.count() == 2


def test_what_clients_publish_goes_to_those_who_want_all_or_only_that(created: CreatedRealm, add: Add):
    both = add(events=["channel.message", "client.message"]).endpoint.pk
    only = add(events=["client.message"]).endpoint.pk
    published = item_event(created.realm.pk, 1)
    from_client = msgspec.structs.replace(item_event(created.realm.pk, 2), is_clients=True)

    store_deliveries([published, from_client])

    assert receivers() == [both, both, only]


def test_formats_decide_what_is_sent(created: CreatedRealm, add: Add):
    auto, plain, requests = (add(format=name).endpoint.pk for name in ("auto", "json-object", "http-request"))
    request = HttpRequest(body=b"raw")

    store_deliveries(
        [
            item_event(created.realm.pk, 1),
            item_event(created.realm.pk, 2, http_request=request),
            item_event(created.realm.pk, 3, http_request=request, json_object=None),
        ]
    )

    bodies = {
        pk: [bytes(row.body) == b"raw" for row in WebhookDelivery.objects.filter(endpoint=pk).order_by("pk")]
        for pk in (auto, plain, requests)
    }
    assert bodies == {auto: [False, True, True], plain: [False, False], requests: [True, True]}


def test_paused_endpoints_keep_events_and_disabled_ones_do_not(created: CreatedRealm, add: Add):
    paused, disabled = add().endpoint.pk, add().endpoint.pk
    pause_endpoint(realm=created.realm, endpoint_id=paused)
    disable_endpoint(realm=created.realm, endpoint_id=disabled)

    store_deliveries([item_event(created.realm.pk, 1)])

    assert receivers() == [paused]


def test_a_channels_rule_adds_events(created: CreatedRealm, add: Add):
    endpoint = add(patterns=["orders.*"]).endpoint.pk
    add_rule(realm=created.realm, pattern="orders.*", settings=RuleSettings(webhook_events=("occupied",)))
    realm = RealmId(created.realm.pk)
    happened = [
        HookEvent(realm, kind, f"{kind} {channel}", 1.0, channel)  # type: ignore[arg-type]
        for kind in ("channel.occupied", "channel.vacated")
        for channel in ("orders.7", "door")
    ]

    store_deliveries(happened)

    assert receivers() == [endpoint]
    assert WebhookDelivery.objects.get().kind == "channel.occupied"


def test_events_of_the_realm_come_whatever_the_patterns(created: CreatedRealm, add: Add):
    endpoint = add(patterns=["door"], events=["origin.error"]).endpoint.pk

    store_deliveries([HookEvent(RealmId(created.realm.pk), "origin.error", "k", 1.0, data=b'{"cause":"dns"}')])

    assert receivers() == [endpoint]
    assert b'"cause":"dns"' in bytes(WebhookDelivery.objects.get().body)


def test_what_is_too_large_is_seen_as_given_up(created: CreatedRealm, add: Add, monkeypatch: pytest.MonkeyPatch):
    add()
    monkeypatch.setattr(relay, "MAX_BODY_BYTES", 20)

    store_deliveries([item_event(created.realm.pk, 1)])

    row = WebhookDelivery.objects.get()
    assert (row.state, row.last_cause, bytes(row.body)) == ("dead", "too_large", b"")


def test_items_of_a_channel_are_stored_by_their_positions(created: CreatedRealm, add: Add):
    add()

    store_deliveries([item_event(created.realm.pk, number) for number in (3, 1, 2)])

    positions = WebhookDelivery.objects.order_by("pk").values_list("position", flat=True)
    assert list(positions) == ["abc:1", "abc:2", "abc:3"]


def test_events_of_a_realm_that_is_gone_come_to_nothing(created: CreatedRealm, add: Add):
    add()

    assert store_deliveries([item_event("ffffffff", 1)]) == 0

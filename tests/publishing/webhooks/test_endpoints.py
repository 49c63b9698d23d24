"""Setting endpoints up: what is stored, what is refused, whose they are."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import RealmId
from publishing.models import WebhookEndpoint
from publishing.webhooks import endpoints
from publishing.webhooks.endpoints import CreatedEndpoint, create_endpoint
from publishing.webhooks.errors import EndpointLimitReached, EndpointNotFound, InvalidEndpoint
from publishing.webhooks.interest import read_interest
from publishing.webhooks.selectors import get_endpoint, list_endpoints
from realms.audit import Action
from realms.models import AuditEntry
from realms.services import CreatedRealm
from tests.factories import make_realm
from tests.publishing.webhooks.conftest import URL

Add = Callable[..., CreatedEndpoint]

pytestmark = pytest.mark.django_db


def test_an_endpoint_is_stored_with_its_settings_and_its_secret_sealed(add: Add):
    created = add(patterns=["orders.*", "door", "door"], events=["presence.join", "channel.message"], has_v1a=True)

    row = WebhookEndpoint.objects.get()
    assert (row.url, row.patterns, row.state) == (URL, ["orders.*", "door"], "active")
    assert row.events == ["channel.message", "presence.join"]
    assert created.secrets.secret.startswith("whsec_")
    assert created.secrets.public_key.startswith("whpk_")
    assert created.secrets.secret[6:] not in row.sealed_secret + row.sealed_signing_key
    assert created.secrets.secret not in repr(created)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"url": "ftp://acme.com"}, "url"),
        ({"url": "https://user:pass@acme.com/"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"patterns": []}, "patterns"),
        ({"patterns": "orders"}, "patterns"),
        ({"patterns": ["fine", "a*b"]}, "patterns[1]"),
        ({"patterns": ["x"] * 101}, "patterns"),
        ({"events": []}, "events"),
        ({"events": ["channel.message", "vanished"]}, "events[1]"),
        ({"events": ["webhook.test"]}, "events[0]"),
        ({"format": "xml"}, "format"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": 31}, "timeout_s"),
        ({"timeout_s": True}, "timeout_s"),
        ({"label": "x" * 81}, "label"),
    ],
)
def test_what_can_not_be_used_is_refused_by_its_place_and_nothing_is_stored(
    add: Add, endpoint: WebhookEndpoint, created: CreatedRealm, settings: dict[str, Any], field: str
):
    with pytest.raises(FanoutError) as refused:
        add(**settings)
    with pytest.raises(FanoutError) as not_changed:
        endpoints.change_endpoint(realm=created.realm, endpoint_id=endpoint.pk, changes=settings)

    assert refused.value.field == not_changed.value.field == field
    assert refused.value.http_status == 400
    assert refused.value.cure
    assert list(WebhookEndpoint.objects.values_list("url", "patterns")) == [(URL, ["*"])]


def test_a_realm_has_a_bounded_number_of_endpoints(add: Add, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(endpoints, "MAX_ENDPOINTS_PER_REALM", 2)
    add()
    add()

    with pytest.raises(EndpointLimitReached):
        add()


def test_a_change_keeps_what_it_does_not_name(created: CreatedRealm, endpoint: WebhookEndpoint):
    WebhookEndpoint.objects.update(failures_in_row=7, rests_until=timezone.now(), rests=2)

    changed = endpoints.change_endpoint(
        realm=created.realm,
        endpoint_id=endpoint.pk,
        changes={"url": "https://acme.com/new", "is_ordered": True, "has_v1a": True},
    )

    row = WebhookEndpoint.objects.get()
    assert (row.url, row.is_ordered, row.patterns) == ("https://acme.com/new", True, ["*"])
    assert row.sealed_signing_key == changed.sealed_signing_key != ""
    assert (row.failures_in_row, row.rests_until) == (0, None)  # another server: what the old one did is over


def test_unknown_settings_are_named(created: CreatedRealm, endpoint: WebhookEndpoint):
    with pytest.raises(InvalidEndpoint, match="colour"):
        endpoints.change_endpoint(realm=created.realm, endpoint_id=endpoint.pk, changes={"colour": "red"})


def test_pausing_keeps_events_and_disabling_does_not(created: CreatedRealm, endpoint: WebhookEndpoint):
    realm = created.realm
    endpoints.pause_endpoint(realm=realm, endpoint_id=endpoint.pk)
    while_paused = read_interest(RealmId(realm.pk))
    endpoints.disable_endpoint(realm=realm, endpoint_id=endpoint.pk)
    while_disabled = read_interest(RealmId(realm.pk))
    resumed = endpoints.resume_endpoint(realm=realm, endpoint_id=endpoint.pk)

    assert while_paused.includes("channel.message")
    assert not while_disabled
    assert (resumed.state, resumed.paused_by, resumed.state_reason) == ("active", "", "")
    actions = AuditEntry.objects.filter(action__startswith="webhook.").order_by("pk")
    assert [entry.action for entry in actions] == [
        Action.WEBHOOK_ADDED,
        Action.WEBHOOK_PAUSED,
        Action.WEBHOOK_DISABLED,
        Action.WEBHOOK_RESUMED,
    ]
    assert all("/in" not in entry.thing for entry in actions)  # a path may hold a credential


def test_a_rotation_keeps_the_old_secret_for_its_overlap(created: CreatedRealm, add: Add):
    first = add(has_v1a=True)

    second = endpoints.rotate_secret(realm=created.realm, endpoint_id=first.endpoint.pk)
    row = get_endpoint(created.realm, first.endpoint.pk)
    is_overlapping = row.is_signed_by_old(timezone.now() + timedelta(hours=23))
    endpoints.rotate_secret(realm=created.realm, endpoint_id=row.pk, overlap=timedelta(0))
    after = get_endpoint(created.realm, row.pk)

    assert second.secret != first.secrets.secret
    assert second.public_key != first.secrets.public_key
    assert row.sealed_old_secret == first.endpoint.sealed_secret
    assert is_overlapping
    assert not row.is_signed_by_old(timezone.now() + timedelta(hours=25))
    assert (after.sealed_old_secret, after.sealed_old_signing_key, after.old_until) == ("", "", None)


def test_showing_a_secret_is_noted(created: CreatedRealm, add: Add):
    first = add()

    shown = endpoints.reveal_secrets(realm=created.realm, endpoint_id=first.endpoint.pk)

    assert shown == first.secrets
    assert AuditEntry.objects.filter(action=Action.WEBHOOK_SECRET_SHOWN).count() == 1


def test_a_removed_endpoint_takes_its_deliveries_with_it(created: CreatedRealm, delivery: Any):
    endpoints.remove_endpoint(realm=created.realm, endpoint_id=delivery.endpoint_id)

    assert not WebhookEndpoint.objects.exists()
    assert not type(delivery).objects.exists()


def test_foreign_and_missing_endpoints_look_alike(charlie: User, endpoint: WebhookEndpoint):
    theirs = make_realm(charlie).realm
    acts = [
        endpoints.remove_endpoint,
        endpoints.pause_endpoint,
        endpoints.disable_endpoint,
        endpoints.resume_endpoint,
        endpoints.rotate_secret,
        endpoints.reveal_secrets,
    ]

    for endpoint_id in (endpoint.pk, 999_999):
        for act in acts:
            with pytest.raises(EndpointNotFound):
                act(realm=theirs, endpoint_id=endpoint_id)
        with pytest.raises(EndpointNotFound):
            endpoints.change_endpoint(realm=theirs, endpoint_id=endpoint_id, changes={"label": "mine"})
        with pytest.raises(EndpointNotFound):
            get_endpoint(theirs, endpoint_id)

    assert list(list_endpoints(theirs)) == []
    assert WebhookEndpoint.objects.get().state == "active"


def test_two_realms_may_name_the_same_url(add: Add, charlie: User):
    add()

    create_endpoint(realm=make_realm(charlie).realm, url=URL)

    assert WebhookEndpoint.objects.filter(url=URL).count() == 2

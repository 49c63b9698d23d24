"""What the delivery plane gets to know of a realm."""

import base64
import logging

import pytest
from channels.db import database_sync_to_async
from pytest_django.fixtures import Settings

from accounts.models import User
from fanoutcloud.core.directory import Rate, RealmLimits
from fanoutcloud.core.domains import Domain, Origin
from fanoutcloud.core.names import RealmId
from realms.models import ApiKey, RealmDomain
from realms.services import CreatedRealm, issue_api_key, revoke_api_key
from realms.snapshots import find_snapshot, load_snapshot
from tests.factories import make_realm


def test_a_snapshot_holds_the_live_keys_and_the_limits(created: CreatedRealm, alice: User, settings: Settings):
    settings.HISTORY_ITEMS, settings.HISTORY_AGE_S = 7, 60.0
    settings.PUBLISH_ITEMS_PER_S, settings.PUBLISH_ITEMS_BURST = 50, 200
    settings.REALM_CONNECTIONS, settings.REALM_CHANNELS, settings.ITEM_BYTES = 5, 6, 70
    settings.EGRESS_BYTES_PER_S, settings.EGRESS_BYTES_BURST = 800, 900
    second = issue_api_key(realm=created.realm, issued_by=alice)

    found = find_snapshot(RealmId(created.realm.pk))

    assert found is not None
    assert [key.secret for key in found.keys] == [base64.b64decode(s) for s in (created.secret, second.secret)]
    assert [key.key_id for key in found.keys] == [str(created.key.pk), str(second.key.pk)]
    assert (found.retention.items, found.retention.age_s) == (7, 60.0)
    assert found.limits == RealmLimits(
        connections=5, channels=6, publish_items=Rate(50, 200), item_bytes=70, egress_bytes=Rate(800, 900)
    )


def test_a_limit_of_0_is_no_limit(created: CreatedRealm, settings: Settings):
    settings.REALM_CONNECTIONS = settings.REALM_CHANNELS = settings.ITEM_BYTES = settings.EGRESS_BYTES_PER_S = 0

    found = find_snapshot(RealmId(created.realm.pk))

    assert found is not None
    assert found.limits == RealmLimits(publish_items=found.limits.publish_items)


def test_revoked_and_foreign_keys_are_not_in_it(created: CreatedRealm, alice: User, charlie: User):
    second = issue_api_key(realm=created.realm, issued_by=alice)
    make_realm(charlie)
    revoke_api_key(realm=created.realm, key_id=created.key.pk)

    found = find_snapshot(RealmId(created.realm.pk))

    assert found is not None
    assert [key.key_id for key in found.keys] == [str(second.key.pk)]


def test_there_is_none_of_a_realm_that_does_not_exist(db: None):
    assert find_snapshot(RealmId("00000000")) is None


def test_a_key_that_can_not_be_opened_is_left_out_and_logged(
    created: CreatedRealm, alice: User, caplog: pytest.LogCaptureFixture
):
    second = issue_api_key(realm=created.realm, issued_by=alice)
    ApiKey.objects.filter(pk=created.key.pk).update(sealed_secret="broken")

    with caplog.at_level(logging.ERROR):
        found = find_snapshot(RealmId(created.realm.pk))

    assert found is not None
    assert [key.key_id for key in found.keys] == [str(second.key.pk)]
    assert [record.message for record in caplog.records] == ["key_not_readable"]


@pytest.mark.django_db(transaction=True)
async def test_loading_off_the_event_loop_finds_the_same():
    user = await database_sync_to_async(User.objects.create_user)("alice@example.com")
    created = await database_sync_to_async(make_realm)(user)

    loaded = await load_snapshot(RealmId(created.realm.pk))

    assert loaded == await database_sync_to_async(find_snapshot)(RealmId(created.realm.pk))


def test_a_domain_that_can_not_be_read_has_the_defaults_and_is_logged(
    created: CreatedRealm, caplog: pytest.LogCaptureFixture
):
    RealmDomain.objects.create(realm=created.realm, name="", document={"origins": "nonsense", "is_debug": True})

    with caplog.at_level(logging.ERROR):
        found = find_snapshot(RealmId(created.realm.pk))

    assert found is not None
    assert found.domains == (Domain(),)
    assert [record.message for record in caplog.records] == ["domain_not_readable"]


def test_a_domain_of_another_release_is_read_as_far_as_it_is_known(created: CreatedRealm):
    document = {"origins": [{"host": "app.acme.com", "port": 80}], "a_later_setting": {"x": 1}}
    RealmDomain.objects.create(realm=created.realm, name="", document=document)

    found = find_snapshot(RealmId(created.realm.pk))

    assert found is not None
    assert found.domains == (Domain(origins=(Origin("app.acme.com", 80),)),)

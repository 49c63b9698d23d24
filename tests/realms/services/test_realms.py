"""Realms: made, labelled, deleted; every change is told to every edge."""

import base64
import json

import pytest
from django.apps import apps

from accounts.models import User
from realms.errors import (
    InvalidLabel,
    RealmLimitReached,
    RealmNotFound,
)
from realms.models import ApiKey, Realm
from realms.selectors import access_realm, list_realms
from realms.services import (
    CreatedRealm,
    create_realm,
    delete_realm,
    issue_api_key,
    label_realm,
    realms,
    revoke_api_key,
)
from tests.factories import make_realm


class RecordingAnnouncer:
    """Keeps what was announced."""

    def __init__(self) -> None:
        self.announced: list[tuple[str, dict[str, str]]] = []

    def announce(self, topic: str, payload: bytes) -> None:
        self.announced.append((topic, json.loads(payload)))


@pytest.fixture
def announcer(monkeypatch: pytest.MonkeyPatch) -> RecordingAnnouncer:
    announcer = RecordingAnnouncer()
    monkeypatch.setitem(vars(apps.get_app_config("realms")), "announcer", announcer)
    return announcer


def test_a_new_realm_has_an_id_of_eight_hex_digits_and_a_key_of_32_bytes(alice: User):
    created = create_realm(owner=alice, label=" My app ")

    assert len(created.realm.pk) == 8
    assert int(created.realm.pk, 16) >= 0
    assert created.realm.label == "My app"
    assert len(base64.b64decode(created.secret, validate=True)) == 32
    assert created.key.hint == created.secret[-4:]


@pytest.mark.parametrize("label", ["x" * 81, "two\nlines", "bell\x07", "a\u202eb"])
def test_a_label_that_is_too_long_or_can_not_be_shown_is_refused(created: CreatedRealm, label: str):
    with pytest.raises(InvalidLabel) as refusal:
        label_realm(realm=created.realm, label=label)

    assert refusal.value.field == "label"
    assert refusal.value.cure
    assert Realm.objects.get(pk=created.realm.pk).label == ""


def test_a_label_is_changed_and_removed(created: CreatedRealm):
    label_realm(realm=created.realm, label="Größe 🚀")
    assert Realm.objects.get(pk=created.realm.pk).label == "Größe 🚀"

    label_realm(realm=created.realm, label="")
    assert Realm.objects.get(pk=created.realm.pk).label == ""


def test_nobody_owns_more_realms_than_the_limit(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(realms, "MAX_REALMS_PER_USER", 2)
    make_realm(alice)
    make_realm(alice)

    with pytest.raises(RealmLimitReached) as refusal:
        create_realm(owner=alice)

    assert "2 realms" in str(refusal.value)
    assert refusal.value.cure
    assert create_realm(owner=bob)


def test_foreign_and_missing_realms_look_the_same(created: CreatedRealm, alice: User, charlie: User):
    assert access_realm(alice, created.realm.pk) == created.realm

    with pytest.raises(RealmNotFound) as foreign:
        access_realm(charlie, created.realm.pk)
    with pytest.raises(RealmNotFound) as missing:
        access_realm(charlie, "00000000")

    assert str(foreign.value).replace(created.realm.pk, "00000000") == str(missing.value)
    assert list(list_realms(charlie)) == []


def test_a_deleted_realm_takes_its_keys_with_it(created: CreatedRealm):
    delete_realm(realm=created.realm)

    assert not Realm.objects.exists()
    assert not ApiKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_changes_are_announced_after_they_are_committed(alice: User, announcer: RecordingAnnouncer):
    created = create_realm(owner=alice)
    issued = issue_api_key(realm=created.realm, issued_by=alice)
    revoke_api_key(realm=created.realm, key_id=issued.key.pk)
    delete_realm(realm=created.realm)

    changed = ("control", {"type": "realm_changed", "realm": created.realm.pk})
    deleted = ("control", {"type": "realm_deleted", "realm": created.realm.pk})
    assert announcer.announced == [changed, changed, changed, deleted]


def test_nothing_is_announced_before_the_commit(
    alice: User, announcer: RecordingAnnouncer, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        create_realm(owner=alice)

    assert announcer.announced == []
    assert len(callbacks) == 1

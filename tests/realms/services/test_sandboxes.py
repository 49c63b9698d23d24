"""Realms of visitors: opened within limits, kept once, removed when they are over, and reaching nobody."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.names import ChannelName
from publishing.webhooks.endpoints import create_endpoint
from realms.errors import RealmLimitReached
from realms.models import AuditEntry, Realm, Sandbox
from realms.roles import Role
from realms.sandbox_errors import NoRoomForSandbox, NotInSandbox, SandboxNotFound, TooManyMails, TooManySandboxes
from realms.selectors import find_sandbox, list_audit_entries, list_live_keys, list_members
from realms.services import (
    CreatedRealm,
    add_token_keys,
    claim_domain,
    keep_sandbox,
    open_sandbox,
    remove_expired_sandboxes,
    reveal_api_key,
    set_up_domain,
)
from realms.services.members import invite_member
from realms.services.sandboxes import LIFE, LIFE_AFTER_MAIL, MAX_MAILS_PER_SANDBOX, Origin, count_mail
from realms.services.webhooks import add_request_subscription
from realms.snapshots import default_limits, find_snapshot

pytestmark = pytest.mark.django_db

ADDRESS = "203.0.113.7"


@pytest.fixture
def sandbox(db: None) -> CreatedRealm:
    return open_sandbox(address=ADDRESS)


def end(realm: Realm) -> None:
    """Have the sandbox be over."""
    Sandbox.objects.filter(realm=realm).update(expires_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("text", "address", "network"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("", "unknown", "unknown"),
        ("unix:", "unknown", "unknown"),
    ],
)
def test_visitors_are_counted_by_address_and_network(text: str, address: str, network: str):
    assert Origin.of(text) == Origin(address, network)


def test_a_sandbox_is_a_realm_without_owner_with_low_limits_for_a_day(sandbox: CreatedRealm):
    snapshot = find_snapshot(sandbox.realm.pk)

    assert sandbox.realm.owner is None
    assert snapshot is not None
    assert len(snapshot.keys) == 1
    assert snapshot.limits.connections == 50
    assert snapshot.limits.item_bytes == 16_384
    found = find_sandbox(sandbox.realm.pk)
    assert found is not None
    assert found.expires_at - found.opened_at == LIFE
    assert list_members(sandbox.realm) == []


def test_one_address_opens_only_so_many_an_hour(settings):
    settings.SANDBOXES_PER_ADDRESS = 2
    open_sandbox(address=ADDRESS)
    open_sandbox(address=ADDRESS)

    with pytest.raises(TooManySandboxes, match="one address may open 2 sandboxes an hour") as caught:
        open_sandbox(address=ADDRESS)
    assert 3500 < caught.value.retry_after_s <= 3600
    open_sandbox(address="203.0.113.8")

    Sandbox.objects.filter(address=ADDRESS).update(opened_at=timezone.now() - timedelta(minutes=61))
    open_sandbox(address=ADDRESS)


@pytest.mark.parametrize("addresses", [["203.0.113.1", "203.0.113.2"], ["2001:db8::1", "2001:db8::2"]])
def test_one_network_opens_only_so_many_an_hour(settings, addresses: list[str]):
    settings.SANDBOXES_PER_NETWORK = 1
    open_sandbox(address=addresses[0])

    with pytest.raises(TooManySandboxes, match="one network"):
        open_sandbox(address=addresses[1])


def test_there_are_only_so_many_at_once(settings, sandbox: CreatedRealm):
    settings.SANDBOXES = 1

    with pytest.raises(NoRoomForSandbox):
        open_sandbox(address="198.51.100.1")

    end(sandbox.realm)
    open_sandbox(address="198.51.100.1")


def test_keeping_changes_neither_key_nor_id_and_lifts_the_limits(sandbox: CreatedRealm, alice: User):
    before = find_snapshot(sandbox.realm.pk)

    realm = keep_sandbox(realm_id=sandbox.realm.pk, owner=alice)

    after = find_snapshot(realm.pk)
    assert before is not None
    assert after is not None
    assert after.keys == before.keys
    assert after.limits == default_limits()
    assert reveal_api_key(realm=realm, key_id=list_live_keys(realm)[0].pk) == sandbox.secret
    assert [member.email for member in list_members(realm)] == [alice.email]
    assert [entry.action for entry in list_audit_entries(realm)] == ["realm.kept", "realm.created"]
    assert not Sandbox.objects.exists()


def test_a_sandbox_is_kept_once(sandbox: CreatedRealm, alice: User, bob: User):
    keep_sandbox(realm_id=sandbox.realm.pk, owner=alice)

    with pytest.raises(SandboxNotFound):
        keep_sandbox(realm_id=sandbox.realm.pk, owner=bob)

    assert Realm.objects.get(pk=sandbox.realm.pk).owner == alice


def test_nobody_keeps_more_realms_than_one_may_own(sandbox: CreatedRealm, alice: User, monkeypatch):
    monkeypatch.setattr("realms.services.sandboxes.MAX_REALMS_PER_USER", 0)

    with pytest.raises(RealmLimitReached):
        keep_sandbox(realm_id=sandbox.realm.pk, owner=alice)

    assert find_sandbox(sandbox.realm.pk) is not None


def test_what_is_over_is_removed_and_nothing_else(sandbox: CreatedRealm, alice: User):
    others = [open_sandbox(address=ADDRESS).realm, open_sandbox(address=ADDRESS).realm]
    end(sandbox.realm)
    end(others[0])
    with pytest.raises(SandboxNotFound):
        keep_sandbox(realm_id=others[0].pk, owner=alice)

    assert find_sandbox(sandbox.realm.pk) is None
    assert remove_expired_sandboxes() == 2

    assert list(Realm.objects.values_list("pk", flat=True)) == [others[1].pk]
    assert not AuditEntry.objects.filter(realm_id=sandbox.realm.pk).exists()
    assert find_snapshot(sandbox.realm.pk) is None
    assert remove_expired_sandboxes() == 0


def test_a_mail_lets_the_sandbox_live_long_enough_to_be_read(sandbox: CreatedRealm):
    Sandbox.objects.update(expires_at=timezone.now() + timedelta(minutes=1))

    count_mail(realm_id=sandbox.realm.pk)

    assert Sandbox.objects.get().expires_at > timezone.now() + LIFE_AFTER_MAIL - timedelta(minutes=1)
    for _ in range(MAX_MAILS_PER_SANDBOX - 1):
        count_mail(realm_id=sandbox.realm.pk)
    with pytest.raises(TooManyMails):
        count_mail(realm_id=sandbox.realm.pk)


def test_a_sandbox_reaches_nobody(sandbox: CreatedRealm, alice: User):
    realm = sandbox.realm
    attempts = [
        lambda: claim_domain(realm=realm, name="push.example.com"),
        lambda: set_up_domain(realm=realm, name="", domain=Domain()),
        lambda: add_request_subscription(realm=realm, channel=ChannelName("hello"), url="https://example.com/"),
        lambda: create_endpoint(realm=realm, url="https://example.com/"),
        lambda: add_token_keys(realm=realm, url="https://example.com/jwks.json"),
        lambda: invite_member(realm=realm, email="eve@example.com", role=Role.ADMIN, invited_by=None),
    ]

    for attempt in attempts:
        with pytest.raises(NotInSandbox, match="a sandbox can't") as caught:
            attempt()
        assert "keep the sandbox first" in caught.value.cure

    kept = keep_sandbox(realm_id=realm.pk, owner=alice)
    add_request_subscription(realm=kept, channel=ChannelName("hello"), url="https://example.com/")

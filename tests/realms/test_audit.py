"""Who changed what: noted with the change, as its author's, and kept for a time."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from realms import audit
from realms.actors import Actor
from realms.audit import Action, Author, acting, forget_old_entries, note
from realms.errors import LastKey
from realms.models import AuditEntry, Realm
from realms.rule_settings import RuleSettings
from realms.scopes import Scope
from realms.selectors import list_audit_entries
from realms.services import (
    CreatedRealm,
    add_rule,
    change_rule,
    claim_domain,
    create_realm,
    delete_realm,
    issue_api_key,
    label_realm,
    remove_domain,
    remove_rule,
    revoke_api_key,
    revoke_user,
    set_limits,
    withdraw_revocation,
)
from realms.services.api_tokens import issue_api_token, revoke_realm_token
from realms.services.webhooks import add_request_subscription, remove_request_subscription

pytestmark = pytest.mark.django_db


def noted(realm: Realm) -> list[tuple[str, str]]:
    return [(row.action, row.thing) for row in AuditEntry.objects.filter(realm_id=realm.pk).order_by("pk")]


def test_services_note_what_they_change(created: CreatedRealm, alice: User):
    realm = created.realm
    AuditEntry.objects.all().delete()

    label_realm(realm=realm, label="new")
    issued = issue_api_key(realm=realm, issued_by=alice, label="web")
    revoke_api_key(realm=realm, key_id=issued.key.pk)
    rule = add_rule(realm=realm, pattern="a*", settings=RuleSettings())
    change_rule(realm=realm, rule_id=rule.pk, pattern="b*", settings=RuleSettings())
    remove_rule(realm=realm, rule_id=rule.pk)
    withdraw_revocation(realm=realm, revocation_id=revoke_user(realm=realm, user="42").pk)
    set_limits(realm=realm, document={"connections": 5})
    claim_domain(realm=realm, name="push.acme.com")
    remove_domain(realm=realm, name="push.acme.com")
    token = issue_api_token(issued_by=Actor.of_person(alice), realm=realm, scopes=[Scope.REALMS_READ]).token
    revoke_realm_token(realm=realm, token_id=token.pk)
    delete_realm(realm=realm)

    key = f"key …{issued.key.hint} web"
    assert noted(realm) == [
        ("realm.labelled", "new"),
        ("key.issued", key),
        ("key.revoked", key),
        ("rule.added", "a*"),
        ("rule.changed", "b*"),
        ("rule.removed", "b*"),
        ("revocation.added", "user 42"),
        ("revocation.withdrawn", "user 42"),
        ("limits.changed", "connections=5"),
        ("domain.claimed", "push.acme.com"),
        ("domain.removed", "push.acme.com"),
        ("token.issued", f"API token {token.prefix}…"),
        ("token.revoked", f"API token {token.prefix}…"),
        ("realm.deleted", "new"),
    ]


def test_no_secret_is_noted(created: CreatedRealm):
    url = "https://hooks.example.com/s3cret?key=secret"
    add_request_subscription(realm=created.realm, channel="door", url=url)
    remove_request_subscription(realm=created.realm, channel="door", url=url)

    assert noted(created.realm)[-2:] == [
        ("url.added", "door → hooks.example.com"),
        ("url.removed", "door → hooks.example.com"),
    ]
    assert not AuditEntry.objects.filter(thing__contains=created.secret).exists()


def test_what_failed_or_was_rolled_back_is_not_noted(created: CreatedRealm):
    before = noted(created.realm)

    with pytest.raises(LastKey):
        revoke_api_key(realm=created.realm, key_id=created.key.pk)
    with transaction.atomic():
        label_realm(realm=created.realm, label="x")
        transaction.set_rollback(True)

    assert noted(created.realm) == before


def test_the_author_is_whoever_acts(created: CreatedRealm, alice: User):
    with acting(lambda: Author("key:4", "key …abc=", "192.0.2.7")):
        label_realm(realm=created.realm, label="a")
    label_realm(realm=created.realm, label="b")
    create_realm(owner=alice)

    rows = AuditEntry.objects.order_by("-pk")
    assert [(row.actor, row.actor_name, row.address) for row in rows[:3]] == [
        (f"user:{alice.pk}", alice.email, None),
        ("system", "the installation", None),
        ("key:4", "key …abc=", "192.0.2.7"),
    ]


def test_a_page_acts_for_who_is_signed_in(created: CreatedRealm, alice: User):
    client = Client(REMOTE_ADDR="2001:db8::7")
    client.force_login(alice)

    client.post(f"/realms/{created.realm.pk}/label/", {"label": "by hand"})

    row = AuditEntry.objects.latest("pk")
    assert (row.actor, row.action, row.address) == (f"user:{alice.pk}", "realm.labelled", "2001:db8::7")


def test_entries_are_kept_for_a_time_and_up_to_a_number(created: CreatedRealm, monkeypatch):
    monkeypatch.setattr(audit, "MAX_ENTRIES_PER_REALM", 3)
    AuditEntry.objects.all().update(at=timezone.now() - timedelta(days=91))
    for number in range(5):
        note(created.realm, Action.RULE_ADDED, str(number))

    forget_old_entries()

    assert [thing for _, thing in noted(created.realm)] == ["2", "3", "4"]


def test_a_realm_does_not_see_what_one_of_the_same_id_did(created: CreatedRealm):
    AuditEntry.objects.all().update(at=timezone.now() - timedelta(days=1))
    note(created.realm, Action.RULE_ADDED, "x" * 400)

    (entry,) = list_audit_entries(created.realm)
    assert (entry.action, len(entry.thing)) == ("rule.added", 300)

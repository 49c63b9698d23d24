"""Domains: claimed by many, had by one, set up, given up."""

import json
from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from fanoutcloud.core.domains import Domain, Origin
from fanoutcloud.core.names import HostName, RealmId
from realms.errors import (
    DomainExists,
    DomainLimitReached,
    DomainNotFound,
    DomainTaken,
    InvalidDomainName,
    InvalidDomainSetting,
)
from realms.models import RealmDomain
from realms.services import CreatedRealm, claim_domain, delete_realm, domains, remove_domain, set_up_domain
from realms.services.domains import GRACE, drop_stale_claims, grant_domain, note_missing_proof
from realms.snapshots import find_realm_of_host, find_snapshot
from tests.factories import make_realm

NAME = "push.acme.com"
ORIGIN = Origin("app.acme.com", 443, is_tls=True)


class RecordingAnnouncer:
    """Keeps what was announced."""

    def __init__(self) -> None:
        self.announced: list[dict[str, object]] = []

    def announce(self, topic: str, payload: bytes) -> None:
        self.announced.append(json.loads(payload))


@pytest.fixture
def announcer(monkeypatch: pytest.MonkeyPatch) -> RecordingAnnouncer:
    announcer = RecordingAnnouncer()
    monkeypatch.setitem(vars(apps.get_app_config("realms")), "announcer", announcer)
    return announcer


@pytest.fixture
def foreign(charlie: User) -> CreatedRealm:
    return make_realm(charlie)


def served_by(created: CreatedRealm) -> list[str]:
    snapshot = find_snapshot(RealmId(created.realm.pk))
    assert snapshot is not None
    return [domain.name for domain in snapshot.domains]


def test_a_claim_does_not_serve_before_it_is_proven(created: CreatedRealm):
    row = claim_domain(realm=created.realm, name="https://Push.Acme.com/")

    assert row.name == NAME
    assert len(row.challenge) == 32
    assert served_by(created) == [""]
    assert find_realm_of_host(HostName(NAME)) is None

    grant_domain(domain_id=row.pk, proof="dns")

    assert served_by(created) == ["", NAME]
    assert find_realm_of_host(HostName(NAME)) == created.realm.pk


def test_many_may_claim_a_name_and_the_first_to_prove_it_has_it(created: CreatedRealm, foreign: CreatedRealm):
    ours, theirs = (claim_domain(realm=one.realm, name=NAME) for one in (created, foreign))
    assert ours.challenge != theirs.challenge

    grant_domain(domain_id=theirs.pk, proof="http")
    with pytest.raises(DomainTaken) as refusal:
        grant_domain(domain_id=ours.pk, proof="dns")

    assert refusal.value.cure
    assert foreign.realm.pk not in str(refusal.value)
    assert served_by(created) == [""]
    assert served_by(foreign) == ["", NAME]


def test_a_name_that_needs_no_proof_has_one_realm(created: CreatedRealm, foreign: CreatedRealm, settings: Settings):
    settings.PUBLIC_URL, settings.EDGE_DOMAIN = "http://localhost:8000", "localhost:8000"

    assert claim_domain(realm=created.realm, name="push.app.localhost").proof == "local"
    with pytest.raises(DomainTaken):
        claim_domain(realm=foreign.realm, name="push.app.localhost")

    assert served_by(created) == ["", "push.app.localhost"]
    assert not RealmDomain.objects.custom(foreign.realm).exists()


def test_a_realm_claims_a_name_once_and_not_too_many(created: CreatedRealm, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(domains, "MAX_DOMAINS_PER_REALM", 2)
    claim_domain(realm=created.realm, name=NAME)
    with pytest.raises(DomainExists):
        claim_domain(realm=created.realm, name=NAME.upper())
    claim_domain(realm=created.realm, name="www.acme.com")

    with pytest.raises(DomainLimitReached):
        claim_domain(realm=created.realm, name="api.acme.com")
    with pytest.raises(InvalidDomainName):
        claim_domain(realm=created.realm, name="localhost")


def test_a_domain_is_set_up_and_keeps_its_name(created: CreatedRealm):
    row = grant_domain(domain_id=claim_domain(realm=created.realm, name=NAME).pk, proof="dns")
    set_up_domain(realm=created.realm, name=NAME, domain=Domain(name="evil.com", origins=(ORIGIN,), has_json_p=True))
    set_up_domain(realm=created.realm, name="", domain=Domain(origins=(ORIGIN,), is_websocket_over_http=False))

    snapshot = find_snapshot(RealmId(created.realm.pk))

    assert snapshot is not None
    assert snapshot.domains == (
        Domain(origins=(ORIGIN,), is_websocket_over_http=False),
        Domain(name=NAME, origins=(ORIGIN,), has_json_p=True, challenge=row.challenge),
    )


def test_settings_that_can_not_work_change_nothing(created: CreatedRealm):
    set_up_domain(realm=created.realm, name="", domain=Domain(origins=(ORIGIN,)))

    with pytest.raises(InvalidDomainSetting):
        set_up_domain(realm=created.realm, name="", domain=Domain(origins=(Origin("", 1),)))
    with pytest.raises(DomainNotFound):
        set_up_domain(realm=created.realm, name=NAME, domain=Domain())

    snapshot = find_snapshot(RealmId(created.realm.pk))
    assert snapshot is not None
    assert snapshot.domains == (Domain(origins=(ORIGIN,)),)


def test_a_realm_never_reaches_the_domain_of_another(created: CreatedRealm, foreign: CreatedRealm):
    row = grant_domain(domain_id=claim_domain(realm=created.realm, name=NAME).pk, proof="dns")

    with pytest.raises(DomainNotFound):
        set_up_domain(realm=foreign.realm, name=NAME, domain=Domain())
    with pytest.raises(DomainNotFound):
        remove_domain(realm=foreign.realm, name=NAME)

    assert RealmDomain.objects.get(pk=row.pk).is_proven


def test_a_removed_domain_is_free_for_others(created: CreatedRealm, foreign: CreatedRealm):
    grant_domain(domain_id=claim_domain(realm=created.realm, name=NAME).pk, proof="dns")

    remove_domain(realm=created.realm, name=NAME)

    assert served_by(created) == [""]
    grant_domain(domain_id=claim_domain(realm=foreign.realm, name=NAME).pk, proof="dns")
    with pytest.raises(DomainNotFound):
        remove_domain(realm=created.realm, name="")  # the built-in one is always there


def test_a_name_serves_on_for_a_while_when_its_proof_is_not_found(created: CreatedRealm):
    row = grant_domain(domain_id=claim_domain(realm=created.realm, name=NAME).pk, proof="dns")

    row = note_missing_proof(domain_id=row.pk, problem="no TXT record")
    assert (row.is_proven, row.problem) == (True, "no TXT record")
    assert row.failing_since is not None
    RealmDomain.objects.filter(pk=row.pk).update(failing_since=timezone.now() - GRACE)
    row = note_missing_proof(domain_id=row.pk, problem="no TXT record")

    assert not row.is_proven
    assert served_by(created) == [""]
    assert row.expires_at is not None
    assert row.expires_at > timezone.now() + timedelta(days=6)


def test_a_proof_that_is_found_again_ends_the_trouble(created: CreatedRealm):
    row = grant_domain(domain_id=claim_domain(realm=created.realm, name=NAME).pk, proof="dns")
    proven_at = row.proven_at
    note_missing_proof(domain_id=row.pk, problem="no TXT record")

    row = grant_domain(domain_id=row.pk, proof="http")

    assert (row.failing_since, row.problem, row.proof, row.proven_at) == (None, "", "http", proven_at)


def test_a_claim_that_nobody_proves_is_dropped(created: CreatedRealm, foreign: CreatedRealm):
    old, kept = (claim_domain(realm=created.realm, name=name) for name in (NAME, "www.acme.com"))
    set_up_domain(realm=created.realm, name="", domain=Domain(origins=(ORIGIN,)))
    grant_domain(domain_id=kept.pk, proof="dns")
    new = claim_domain(realm=foreign.realm, name=NAME)
    RealmDomain.objects.exclude(pk=new.pk).update(created_at=timezone.now() - timedelta(days=8))

    assert drop_stale_claims() == 1

    assert not RealmDomain.objects.filter(pk=old.pk).exists()
    assert RealmDomain.objects.count() == 3


def test_a_claim_is_looked_at_often_while_it_is_young(created: CreatedRealm):
    row = claim_domain(realm=created.realm, name=NAME)
    row = note_missing_proof(domain_id=row.pk, problem="no TXT record")
    assert row.check_at is not None
    assert row.check_at < timezone.now() + timedelta(minutes=11)

    RealmDomain.objects.update(created_at=timezone.now() - timedelta(days=4))
    row = note_missing_proof(domain_id=row.pk, problem="no TXT record")
    assert row.check_at is not None
    assert row.check_at > timezone.now() + timedelta(hours=20)


@pytest.mark.django_db(transaction=True)
def test_every_change_that_edges_must_know_of_is_announced(alice: User, announcer: RecordingAnnouncer):
    created = make_realm(alice)
    realm, changed = created.realm, {"type": "realm_changed", "realm": created.realm.pk}
    announcer.announced.clear()

    row = claim_domain(realm=realm, name=NAME)
    assert announcer.announced == []
    grant_domain(domain_id=row.pk, proof="dns")
    grant_domain(domain_id=row.pk, proof="dns")
    set_up_domain(realm=realm, name=NAME, domain=Domain(origins=(ORIGIN,)))
    remove_domain(realm=realm, name=NAME)
    assert announcer.announced == [changed | {"hosts": [NAME]}, changed, changed | {"hosts": [NAME]}]

    grant_domain(domain_id=claim_domain(realm=realm, name=NAME).pk, proof="dns")
    delete_realm(realm=realm)
    assert announcer.announced[-1] == {"type": "realm_deleted", "realm": realm.pk, "hosts": [NAME]}

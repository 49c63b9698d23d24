"""Proofs looked for: found, missed, and a name that changes hands."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from accounts.models import User
from realms import tasks
from realms.errors import DomainTaken
from realms.models import RealmDomain
from realms.services import CreatedRealm, claim_domain
from realms.services.domains import grant_domain
from realms.services.proving import check_due_domains, prove_domain
from tests.factories import make_realm
from tests.realms.test_proofs import Internet

NAME = "push.acme.com"
prove = async_to_sync(prove_domain)


@pytest.fixture
def row(created: CreatedRealm) -> RealmDomain:
    return claim_domain(realm=created.realm, name=NAME)


@pytest.fixture
def theirs(charlie: User) -> RealmDomain:
    """Charlie's claim on the same name."""
    return claim_domain(realm=make_realm(charlie).realm, name=NAME)


def put_record(internet: Internet, *rows: RealmDomain) -> None:
    internet.texts[f"_fanout-challenge.{NAME}"] = [row.challenge for row in rows]


def put_file(internet: Internet, row: RealmDomain) -> None:
    url = f"http://{NAME}/.well-known/fanout-challenge/{row.challenge}"
    internet.files[url] = (200, row.challenge.encode())


def test_a_proof_that_is_found_makes_the_name_serve(row: RealmDomain, internet: Internet):
    missed = prove(row)
    assert (missed.is_proven, "no TXT record" in missed.problem) == (False, True)

    put_record(internet, row)
    found = prove(row)

    assert (found.is_proven, found.proof, found.problem) == (True, "dns", "")


def test_two_who_prove_a_name_leave_it_to_the_first(row: RealmDomain, theirs: RealmDomain, internet: Internet):
    put_record(internet, row, theirs)
    prove(row)

    with pytest.raises(DomainTaken):
        prove(theirs)

    assert RealmDomain.objects.get(name=NAME, proven_at__isnull=False).pk == row.pk
    assert "belongs to another realm" in RealmDomain.objects.get(pk=theirs.pk).problem


def test_a_name_goes_to_whoever_sets_its_dns_now(row: RealmDomain, theirs: RealmDomain, internet: Internet):
    put_record(internet, row)
    prove(row)
    put_file(internet, row)  # the old owner's site, or our own edge, may still answer

    put_record(internet, theirs)
    assert prove(theirs).is_proven

    lost = RealmDomain.objects.get(pk=row.pk)
    assert not lost.is_proven
    assert "another realm has proven" in lost.problem


def test_a_file_takes_no_name_from_one_whose_proof_holds(row: RealmDomain, theirs: RealmDomain, internet: Internet):
    put_file(internet, row)
    prove(row)
    put_file(internet, theirs)

    with pytest.raises(DomainTaken):
        prove(theirs)
    internet.files = {url: found for url, found in internet.files.items() if row.challenge not in url}

    assert prove(theirs).is_proven


def test_what_is_due_is_looked_for_and_nothing_else(row: RealmDomain, created: CreatedRealm, internet: Internet):
    put_record(internet, row)
    other = grant_domain(domain_id=claim_domain(realm=created.realm, name="www.acme.com").pk, proof="dns")
    assert async_to_sync(check_due_domains)() == 0

    RealmDomain.objects.filter(pk=row.pk).update(check_at=timezone.now() - timedelta(seconds=1))
    assert async_to_sync(check_due_domains)() == 1

    assert RealmDomain.objects.get(pk=row.pk).is_proven
    assert RealmDomain.objects.get(pk=other.pk).problem == ""


def test_the_task_looks_for_all_and_survives_names_that_are_taken(
    row: RealmDomain, theirs: RealmDomain, internet: Internet
):
    put_record(internet, row, theirs)
    RealmDomain.objects.update(check_at=timezone.now() - timedelta(seconds=1))

    tasks.check_domains()

    assert RealmDomain.objects.filter(proven_at__isnull=False).count() == 1
    assert RealmDomain.objects.due(timezone.now()).count() == 0


def test_a_name_whose_proof_has_gone_long_ago_stops(row: RealmDomain, internet: Internet, caplog):
    grant_domain(domain_id=row.pk, proof="dns")
    long_ago = timezone.now() - timedelta(days=8)
    RealmDomain.objects.update(check_at=long_ago, failing_since=long_ago)

    tasks.check_domains()

    assert not RealmDomain.objects.get(pk=row.pk).is_proven
    assert "domain_lapsed" in caplog.text

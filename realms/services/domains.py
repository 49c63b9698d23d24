"""Changes to a realm's domains: claimed, proven, set up, removed. Each tells every edge, once it is committed."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from fanoutcloud.core.domains import Domain
from realms.announcements import announce_change
from realms.audit import Action, note
from realms.domain_documents import write_document
from realms.domain_names import is_private, parse_domain_name
from realms.domain_rules import check_domain
from realms.errors import DomainExists, DomainLimitReached, DomainNotFound, DomainTaken
from realms.models import Realm, RealmDomain
from realms.models.domains import CLAIM_AGE
from realms.services.locking import lock_realm
from realms.services.sandbox_rules import refuse_in_sandbox

#: Each is in the snapshot that every edge keeps of the realm.
MAX_DOMAINS_PER_REALM = 20
#: How often the proof of a name that serves is looked for, and a claim's while its owner may be setting it up.
RECHECK_AFTER = timedelta(days=1)
CLAIM_RECHECK_AFTER = timedelta(minutes=10)
#: A name goes on serving this long after its proof was seen last: DNS has its bad days.
GRACE = timedelta(days=7)
_HANDED_ON = "The proof is not there any more, and another realm has proven the name."


@transaction.atomic
def claim_domain(*, realm: Realm, name: str) -> RealmDomain:
    """Add a name to the realm. It serves once it is proven; other realms may claim it until then.

    Raises:
        InvalidDomainName: no realm can have it.
        DomainExists: the realm has it, proven or not.
        DomainTaken: it needs no proof, and another realm has it.
        DomainLimitReached: the realm has `MAX_DOMAINS_PER_REALM`.
        NotInSandbox: the realm belongs to nobody.
    """
    refuse_in_sandbox(realm, "have a name of its own")
    host = parse_domain_name(name)
    lock_realm(realm)
    if RealmDomain.objects.custom(realm).filter(name=host).exists():
        raise DomainExists(host)
    if RealmDomain.objects.custom(realm).count() >= MAX_DOMAINS_PER_REALM:
        raise DomainLimitReached(MAX_DOMAINS_PER_REALM)
    row = RealmDomain.objects.create(realm=realm, name=host, check_at=timezone.now() + CLAIM_RECHECK_AFTER)
    note(realm, Action.DOMAIN_CLAIMED, host)
    return grant_domain(domain_id=row.pk, proof="local") if is_private(host) else row


@transaction.atomic
def set_up_domain(*, realm: Realm, name: str, domain: Domain) -> None:
    """Replace what is set for the realm's domain `name` ("": the built-in one). Name and challenge stay.

    Raises:
        DomainNotFound: the realm has no such domain.
        InvalidDomainSetting: a setting can't be used.
        NotInSandbox: the realm belongs to nobody.
    """
    refuse_in_sandbox(realm, "pass requests on to other servers")
    check_domain(domain)
    lock_realm(realm)
    if not name:
        RealmDomain.objects.get_or_create(realm=realm, name="")
    row = get_domain(realm=realm, name=name)
    row.document = write_document(domain)
    row.save(update_fields=["document"])
    note(realm, Action.DOMAIN_CHANGED, name or "the built-in domain")
    announce_change(realm)


@transaction.atomic
def remove_domain(*, realm: Realm, name: str) -> None:
    """Give the name up. Connections that came by it stay.

    Raises:
        DomainNotFound: the realm has no such custom domain.
    """
    lock_realm(realm)
    if not name:
        raise DomainNotFound(name)
    get_domain(realm=realm, name=name).delete()
    note(realm, Action.DOMAIN_REMOVED, name)
    announce_change(realm, hosts=[name])


@transaction.atomic
def grant_domain(*, domain_id: int, proof: str) -> RealmDomain:
    """Note that the domain's proof was found: the name serves its realm from now on.

    Raises:
        DomainTaken: another realm has it.
    """
    row = _lock_domain(domain_id)
    now = timezone.now()
    if RealmDomain.objects.holders(row.name).exclude(pk=row.pk).exists():
        raise DomainTaken(row.name)
    is_news = row.proven_at is None
    row.proven_at = row.proven_at or now
    row.proof, row.problem, row.failing_since = proof, "", None
    row.checked_at, row.check_at = now, None if proof == "local" else now + RECHECK_AFTER
    try:
        row.save(update_fields=["proven_at", "proof", "problem", "failing_since", "checked_at", "check_at"])
    except IntegrityError as error:  # the other realm's proof was found at the same moment
        raise DomainTaken(row.name) from error
    if is_news:
        note(row.realm, Action.DOMAIN_PROVEN, row.name)
        announce_change(row.realm, hosts=[row.name])
    return row


@transaction.atomic
def note_missing_proof(*, domain_id: int, problem: str, grace: timedelta = GRACE) -> RealmDomain:
    """Note that a domain's proof was not found. A name that serves stops when that has been so for `grace`."""
    row = _lock_domain(domain_id)
    now = timezone.now()
    row.checked_at, row.problem = now, problem
    if row.proven_at is None:
        row.check_at = _next_look_at_claim(row, now)
    else:
        row.failing_since = row.failing_since or now
        row.check_at = now + RECHECK_AFTER / 24
        if now - row.failing_since >= grace:
            row.proven_at, row.proof, row.failing_since = None, "", None
            note(row.realm, Action.DOMAIN_LAPSED, row.name)
            row.created_at = now  # it is a claim again, with all the time of one
            announce_change(row.realm, hosts=[row.name])
    row.save()
    return row


@transaction.atomic
def take_back(*, domain_id: int) -> None:
    """Let a name that serves stop at once: somebody else has proven it, and its proof is not there any more."""
    note_missing_proof(domain_id=domain_id, problem=_HANDED_ON, grace=timedelta(0))


@transaction.atomic
def drop_stale_claims() -> int:
    """Delete claims that nobody has proven in time; return how many."""
    stale = RealmDomain.objects.filter(proven_at__isnull=True, created_at__lt=timezone.now() - CLAIM_AGE)
    return stale.exclude(name="").delete()[0]


def get_domain(*, realm: Realm, name: str) -> RealmDomain:
    """Return the realm's domain of this name; the built-in one may not be in the database.

    Raises:
        DomainNotFound: the realm has no such domain.
    """
    row = RealmDomain.objects.filter(realm=realm, name=name).first()
    if row is None and not name:
        return RealmDomain(realm=realm, name="")
    if row is None:
        raise DomainNotFound(name)
    return row


def _lock_domain(domain_id: int) -> RealmDomain:
    row = RealmDomain.objects.select_for_update().select_related("realm").filter(pk=domain_id).first()
    if row is None:
        raise DomainNotFound(str(domain_id))  # removed while its proof was looked for
    return row


def _next_look_at_claim(row: RealmDomain, now: datetime) -> datetime:
    """Return when to look next: often while the claim is young, every few hours later."""
    return now + max(CLAIM_RECHECK_AFTER, (now - row.created_at) / 4)

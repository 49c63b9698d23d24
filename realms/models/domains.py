"""Domains of realms: the names that they claim or have, and what is set for each."""

import secrets
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from realms.models.realms import Realm

MAX_NAME_CHARACTERS = 253
#: A claim that nobody proved by then is dropped: the name is free for others all the while.
CLAIM_AGE = timedelta(days=7)


def new_challenge() -> str:
    """Return the text that proves a claim where its owner puts it."""
    return secrets.token_hex(16)


class RealmDomainQuerySet(models.QuerySet["RealmDomain"]):
    """Domains of one realm, or names over all realms."""

    def built_in(self, realm: Realm) -> "RealmDomainQuerySet":
        """The one that every realm has, if anything is set for it."""
        return self.filter(realm=realm, name="")

    def custom(self, realm: Realm) -> "RealmDomainQuerySet":
        """Those with names of their own, proven or not, by name."""
        return self.filter(realm=realm).exclude(name="").order_by("name")

    def due(self, now: datetime) -> "RealmDomainQuerySet":
        """Those whose proof is to be looked for by `now`, the longest overdue first."""
        return self.filter(check_at__lte=now).exclude(name="").order_by("check_at")

    def holders(self, name: str) -> "RealmDomainQuerySet":
        """The one row, of any realm, that has the name for itself."""
        return self.filter(name=name, proven_at__isnull=False)


class RealmDomain(models.Model):
    """One name of a realm. The built-in domain has the empty name, and a row only once something is set for it.

    Several realms may claim a name; one has it: the first to prove it, until its proof ends to hold.
    """

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="domains")
    name = models.CharField(max_length=MAX_NAME_CHARACTERS, blank=True)
    #: `fanoutcloud.core.domains.Domain` as JSON, without name and challenge (`realms.domain_documents`).
    document = models.JSONField(default=dict)
    challenge = models.CharField(max_length=64, default=new_challenge, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    proven_at = models.DateTimeField(null=True, blank=True)
    #: How it was proven: `dns`, `http`, or `local` for names that mean something on this machine only.
    proof = models.CharField(max_length=8, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_at = models.DateTimeField(null=True, blank=True, db_index=True)
    #: Of a proven name: since when its proof is not found. Of a claim: unused.
    failing_since = models.DateTimeField(null=True, blank=True)
    #: What the last check found wrong, for people; empty when it found the proof.
    problem = models.TextField(blank=True)

    objects = RealmDomainQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["realm", "name"], name="domain_once_per_realm"),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(proven_at__isnull=False) & ~models.Q(name=""),
                name="domain_has_one_realm",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"built-in domain of {self.realm_id}"

    @property
    def is_proven(self) -> bool:
        """Whether the name serves: it is the built-in one, or its proof was found."""
        return not self.name or self.proven_at is not None

    @property
    def expires_at(self) -> datetime | None:
        """When a claim that is not proven is dropped."""
        return None if self.is_proven else self.created_at + CLAIM_AGE

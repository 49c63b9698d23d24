"""The audit log: who changed what in a realm, when, from where.

Services call `note` in the transaction that makes the change: either both are there or neither is. Who asks is not
handed through them: the edge of each way in (`realms.middleware`, the management API, the compatible API) says so with
`acting` for as long as it handles the request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count
from django.utils import timezone

from accounts.models import User
from realms.actors import Actor
from realms.models import AuditEntry, Realm
from realms.models.audit import MAX_THING_CHARACTERS

KEPT_FOR = timedelta(days=90)
#: Of one realm; the oldest go first.
MAX_ENTRIES_PER_REALM = 100_000


class Action(StrEnum):
    """`noun.deed`."""

    REALM_CREATED = "realm.created"
    REALM_KEPT = "realm.kept"
    REALM_LABELLED = "realm.labelled"
    REALM_DELETED = "realm.deleted"
    REALM_HANDED_OVER = "realm.handed_over"
    LIMITS_CHANGED = "limits.changed"
    KEY_ISSUED = "key.issued"
    KEY_REVOKED = "key.revoked"
    TOKEN_ISSUED = "token.issued"  # noqa: S105 - a deed, no secret
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - a deed, no secret
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_CHANGED = "member.changed"
    MEMBER_REMOVED = "member.removed"
    INVITATION_WITHDRAWN = "invitation.withdrawn"
    DOMAIN_CLAIMED = "domain.claimed"
    DOMAIN_PROVEN = "domain.proven"
    DOMAIN_LAPSED = "domain.lapsed"
    DOMAIN_CHANGED = "domain.changed"
    DOMAIN_REMOVED = "domain.removed"
    RULE_ADDED = "rule.added"
    RULE_CHANGED = "rule.changed"
    RULE_REMOVED = "rule.removed"
    REVOCATION_ADDED = "revocation.added"
    REVOCATION_WITHDRAWN = "revocation.withdrawn"
    PUBLIC_KEYS_ADDED = "public_keys.added"
    PUBLIC_KEYS_REMOVED = "public_keys.removed"
    URL_ADDED = "url.added"
    URL_REMOVED = "url.removed"
    XMPP_ADMIN_ADDED = "xmpp_admin.added"
    XMPP_ADMIN_REMOVED = "xmpp_admin.removed"
    XMPP_STANZAS_CHANGED = "xmpp_stanzas.changed"
    XMPP_STANZA_URL_CHANGED = "xmpp_stanza_url.changed"
    XMPP_RECEIVER_ADDED = "xmpp_receiver.added"
    XMPP_RECEIVER_CONFIRMED = "xmpp_receiver.confirmed"
    XMPP_RECEIVER_REFUSED = "xmpp_receiver.refused"
    XMPP_RECEIVER_PAUSED = "xmpp_receiver.paused"
    XMPP_RECEIVER_REMOVED = "xmpp_receiver.removed"
    WEBHOOK_ADDED = "webhook.added"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_PAUSED = "webhook.paused"
    WEBHOOK_RESUMED = "webhook.resumed"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105 - a deed, no secret
    WEBHOOK_SECRET_SHOWN = "webhook.secret_shown"  # noqa: S105 - a deed, no secret
    WEBHOOK_REPLAYED = "webhook.replayed"


@dataclass(frozen=True, slots=True)
class Author:
    """Who asks: the credential's id, its name for people, and the address that the request came from."""

    id: str
    name: str
    address: str = ""

    @classmethod
    def of_actor(cls, actor: Actor, address: str) -> "Author":
        """Return the author for a checked credential; a person's token names the person, too."""
        is_persons = actor.user is not None and actor.user.email != actor.name
        return cls(actor.id, f"{actor.user.email}, {actor.name}" if actor.user and is_persons else actor.name, address)

    @classmethod
    def of_user(cls, user: User | AnonymousUser, address: str) -> "Author":
        """Return the author for somebody at a page."""
        return cls.of_actor(Actor.of_person(user), address) if isinstance(user, User) else cls("", "", address)


SYSTEM = Author("system", "the installation")
_author: ContextVar[Callable[[], Author]] = ContextVar("audit_author", default=lambda: SYSTEM)


@contextmanager
def acting(find_author: Callable[[], Author]) -> Iterator[None]:
    """Have what is changed meanwhile noted as the author's, who is asked for only if something is."""
    token = _author.set(find_author)
    try:
        yield
    finally:
        _author.reset(token)


def note(realm: Realm, action: Action, thing: str = "", *, by: User | None = None) -> None:
    """Note a change, in the transaction that makes it. `thing` says of what, without a secret.

    `by` is who changed it where the request does not say, as at a sign-up.
    """
    author = _author.get()()
    if by is not None and author.id in ("", SYSTEM.id):
        author = Author.of_user(by, author.address)
    AuditEntry.objects.create(
        realm_id=realm.pk,
        actor=author.id,
        actor_name=author.name[:400],
        action=action.value,
        thing=_shorten(thing),
        address=_clean_address(author.address),
    )


def forget_old_entries() -> None:
    """Delete what is older than `KEPT_FOR`, and what a realm has beyond `MAX_ENTRIES_PER_REALM`."""
    AuditEntry.objects.older_than(timezone.now() - KEPT_FOR).delete()
    counts = AuditEntry.objects.values("realm_id").annotate(count=Count("pk"))
    for realm_id in list(counts.filter(count__gt=MAX_ENTRIES_PER_REALM).values_list("realm_id", flat=True)):
        entries = AuditEntry.objects.filter(realm_id=realm_id)
        newest_to_go = entries.order_by("-pk").values_list("pk", flat=True)[MAX_ENTRIES_PER_REALM]
        entries.filter(pk__lte=newest_to_go).delete()


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_THING_CHARACTERS else f"{text[: MAX_THING_CHARACTERS - 1]}…"


def _clean_address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None

"""Realms for visitors without an account: opened, kept, removed.

A sandbox is a realm without an owner: the same tables, the same delivery, the same limits by another number. So keeping
it changes who it belongs to, and neither key nor address nor connection. docs/topics/onboarding.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from realms.announcements import announce_change, announce_deletion
from realms.audit import Action, note
from realms.errors import RealmLimitReached
from realms.models import AuditEntry, Realm, Sandbox
from realms.sandbox_errors import NoRoomForSandbox, SandboxNotFound, TooManyMails, TooManySandboxes
from realms.services.keys import store_new_key
from realms.services.realms import MAX_REALMS_PER_USER, CreatedRealm, find_free_id

LIFE = timedelta(hours=24)
WINDOW = timedelta(hours=1)
#: A sandbox lives at least this long after a link to keep it was mailed.
LIFE_AFTER_MAIL = timedelta(hours=6)
MAX_MAILS_PER_SANDBOX = 3
#: Enough to try everything, and too little to serve strangers from.
LIMITS = {
    "connections": 50,
    "channels": 20,
    "publish_items_per_s": 10,
    "publish_items_burst": 60,
    "item_bytes": 16_384,
    "egress_bytes_per_s": 100_000,
    "egress_bytes_burst": 1_000_000,
}
#: How many one run removes; the next takes the rest.
REMOVAL_BATCH = 500


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a visitor comes from, as sandboxes are counted by it."""

    address: str
    network: str

    @classmethod
    def of(cls, text: str) -> "Origin":
        """Return the address with its /24 or /64; what is no address (a Unix socket) is one place, "unknown"."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return cls("unknown", "unknown")
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        bits = 24 if address.version == 4 else 64
        return cls(str(address), str(ip_network(f"{address}/{bits}", strict=False)))


@transaction.atomic
def open_sandbox(*, address: str) -> CreatedRealm:
    """Create a realm without an owner for a visitor from `address`; it is removed `LIFE` later unless it is kept.

    Requests at the same moment may together open a few more than the limits say; no lock is taken for that.

    Raises:
        TooManySandboxes: the address, or the network that it is in, has opened too many in the last hour.
        NoRoomForSandbox: there are as many as the installation keeps at once.
    """
    now = timezone.now()
    origin = Origin.of(address)
    _check_room(origin, now)
    realm = Realm.objects.create(id=find_free_id(), owner=None, label="Sandbox", limits=LIMITS)
    Sandbox.objects.create(
        realm=realm, opened_at=now, expires_at=now + LIFE, address=origin.address, network=origin.network
    )
    issued = store_new_key(realm=realm, issued_by=None, label="")
    note(realm, Action.REALM_CREATED, "as a sandbox")
    announce_change(realm)  # an edge may remember that there is no such realm
    return CreatedRealm(realm=realm, key=issued.key, secret=issued.secret)


@transaction.atomic
def keep_sandbox(*, realm_id: str, owner: User) -> Realm:
    """Make the sandbox a realm of `owner`, with the limits of every realm. Of two who keep it at once, one does.

    Raises:
        SandboxNotFound: it is over, or has an owner.
        RealmLimitReached: `owner` has `MAX_REALMS_PER_USER` realms.
    """
    User.objects.select_for_update().get(pk=owner.pk)
    if Realm.objects.filter(owner=owner).count() >= MAX_REALMS_PER_USER:
        raise RealmLimitReached(MAX_REALMS_PER_USER)
    live = Sandbox.objects.filter(realm=realm_id, expires_at__gt=timezone.now())
    if not live.delete()[0]:
        raise SandboxNotFound
    realm = Realm.objects.get(pk=realm_id)
    realm.owner, realm.label, realm.limits = owner, "", {}
    realm.save(update_fields=["owner", "label", "limits"])
    note(realm, Action.REALM_KEPT, by=owner)
    announce_change(realm)
    return realm


@transaction.atomic
def count_mail(*, realm_id: str) -> None:
    """Note that a link to keep the sandbox is about to be mailed; it lives on for a while, so that the link works.

    Raises:
        SandboxNotFound: it is over, or has an owner.
        TooManyMails: `MAX_MAILS_PER_SANDBOX` were sent.
    """
    now = timezone.now()
    sandbox = Sandbox.objects.select_for_update().filter(realm=realm_id, expires_at__gt=now).first()
    if sandbox is None:
        raise SandboxNotFound
    if sandbox.mails_sent >= MAX_MAILS_PER_SANDBOX:
        raise TooManyMails(MAX_MAILS_PER_SANDBOX)
    sandbox.mails_sent += 1
    sandbox.expires_at = max(sandbox.expires_at, now + LIFE_AFTER_MAIL)
    sandbox.save(update_fields=["mails_sent", "expires_at"])


def remove_expired_sandboxes() -> int:
    """Delete sandboxes that are over, with all they have, and close their subscribers; return how many."""
    over = Sandbox.objects.filter(expires_at__lte=timezone.now()).order_by("expires_at")
    return sum(_remove(realm_id) for realm_id in list(over.values_list("realm_id", flat=True)[:REMOVAL_BATCH]))


@transaction.atomic
def _remove(realm_id: str) -> bool:
    # Locked and looked at again: somebody may keep it in this moment.
    over = Sandbox.objects.select_for_update().filter(realm=realm_id, expires_at__lte=timezone.now())
    sandbox = over.select_related("realm").first()
    if sandbox is None:
        return False
    realm = sandbox.realm
    AuditEntry.objects.of_realm(realm).delete()  # nobody is left who could ask
    announce_deletion(realm)
    Realm.objects.filter(pk=realm_id, owner=None).delete()
    return True


def _check_room(origin: Origin, now: datetime) -> None:
    if Sandbox.objects.filter(expires_at__gt=now).count() >= settings.SANDBOXES:
        raise NoRoomForSandbox
    recent = Sandbox.objects.filter(opened_at__gt=now - WINDOW).order_by("opened_at")
    for whose, limit, rows in (
        ("one address", settings.SANDBOXES_PER_ADDRESS, recent.filter(address=origin.address)),
        ("one network", settings.SANDBOXES_PER_NETWORK, recent.filter(network=origin.network)),
    ):
        times = list(rows.values_list("opened_at", flat=True)[: limit + 1])
        if len(times) >= limit:
            room_at = (times[0] if times else now) + WINDOW
            raise TooManySandboxes(whose, limit, retry_after_s=max(1, int((room_at - now).total_seconds())))

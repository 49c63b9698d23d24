"""Changes to realms themselves. Each tells every edge, once it is committed."""

from dataclasses import dataclass, field

from django.db import transaction

from accounts.models import User
from realms.announcements import announce_change, announce_deletion
from realms.audit import Action, note
from realms.errors import RealmLimitReached
from realms.models import ApiKey, Realm, RealmDomain, new_realm_id
from realms.services.keys import store_new_key
from realms.services.labels import clean_label

MAX_REALMS_PER_USER = 100


@dataclass(frozen=True, slots=True)
class CreatedRealm:
    """A new realm, its first key, and that key's secret as Base64 text."""

    realm: Realm
    key: ApiKey
    secret: str = field(repr=False)


@transaction.atomic
def create_realm(*, owner: User, label: str = "") -> CreatedRealm:
    """Create a realm of `owner`, with one key.

    Raises:
        RealmLimitReached: `owner` has `MAX_REALMS_PER_USER` realms.
        InvalidLabel: `label` is too long or holds a control character.
    """
    label = clean_label(label)
    User.objects.select_for_update().get(pk=owner.pk)  # two requests must not both see room for one realm
    if Realm.objects.filter(owner=owner).count() >= MAX_REALMS_PER_USER:
        raise RealmLimitReached(MAX_REALMS_PER_USER)
    realm = Realm.objects.create(id=find_free_id(), owner=owner, label=label)
    issued = store_new_key(realm=realm, issued_by=owner, label="")
    note(realm, Action.REALM_CREATED, label, by=owner)
    announce_change(realm)  # an edge may remember that there is no such realm
    return CreatedRealm(realm=realm, key=issued.key, secret=issued.secret)


@transaction.atomic
def open_ownerless_realm(*, realm_id: str, label: str) -> Realm:
    """Create a realm of the installation itself. Nobody can sign in to it, and like a sandbox it reaches nobody.

    Of two at the same moment one fails on the realm's id: callers are tasks, which run again.
    """
    realm = Realm.objects.create(id=realm_id, owner=None, label=label)
    store_new_key(realm=realm, issued_by=None, label="")
    note(realm, Action.REALM_CREATED, label)
    announce_change(realm)
    return realm


@transaction.atomic
def label_realm(*, realm: Realm, label: str) -> None:
    """Change the realm's label; an empty one removes it.

    Raises:
        InvalidLabel: `label` is too long or holds a control character.
    """
    realm.label = clean_label(label)
    realm.save(update_fields=["label"])
    note(realm, Action.REALM_LABELLED, realm.label)


@transaction.atomic
def delete_realm(*, realm: Realm) -> None:
    """Delete the realm with all it has; every edge closes its subscribers."""
    announce_deletion(realm, hosts=[row.name for row in RealmDomain.objects.custom(realm)])
    Realm.objects.filter(pk=realm.pk).delete()
    note(realm, Action.REALM_DELETED, realm.label)


def find_free_id() -> str:
    """Return an id that no realm has."""
    # A second try is rare, and losing the race between this look and the insert is an error, not harm.
    while Realm.objects.filter(pk=(realm_id := new_realm_id())).exists():
        pass
    return realm_id

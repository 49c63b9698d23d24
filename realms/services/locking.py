"""Changes of one realm, one after another."""

from realms.models import Realm


def lock_realm(realm: Realm) -> None:
    """Let no other change of the realm come between this transaction's looks and its writes."""
    Realm.objects.select_for_update().get(pk=realm.pk)

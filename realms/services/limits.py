"""The limits of one realm. They are an operator's to set: owners see them, and reach them."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from realms.announcements import announce_change
from realms.audit import Action, note
from realms.limit_settings import LimitSettings, parse_limits, write_limits
from realms.models import Realm
from realms.services.locking import lock_realm


@transaction.atomic
def set_limits(*, realm: Realm, document: Mapping[str, Any]) -> LimitSettings:  # Any: JSON
    """Give the realm these limits in place of those it had of its own; all processes know within a second.

    Raises:
        InvalidRealmLimit: a limit is unknown or out of range; nothing was changed.
    """
    limits = parse_limits(document)
    lock_realm(realm)
    realm.limits = write_limits(limits)
    realm.save(update_fields=["limits"])
    changed = ", ".join(f"{name}={value}" for name, value in realm.limits.items())
    note(realm, Action.LIMITS_CHANGED, changed or "as for every realm")
    announce_change(realm)
    return limits

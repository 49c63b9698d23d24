"""Realms and what they have, by noun."""

from realms.models.keys import ApiKey
from realms.models.realms import MAX_LABEL_CHARACTERS, Realm, new_realm_id

__all__ = ["MAX_LABEL_CHARACTERS", "ApiKey", "Realm", "new_realm_id"]

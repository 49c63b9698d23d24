"""Changes of a realm and of what it has, by noun. Each tells every edge, once it is committed."""

from realms.services.domains import claim_domain, remove_domain, set_up_domain
from realms.services.keys import IssuedKey, issue_api_key, reveal_api_key, revoke_api_key
from realms.services.origins import OriginChange, change_origin
from realms.services.realms import CreatedRealm, create_realm, delete_realm, label_realm

__all__ = [
    "CreatedRealm",
    "IssuedKey",
    "OriginChange",
    "change_origin",
    "claim_domain",
    "create_realm",
    "delete_realm",
    "issue_api_key",
    "label_realm",
    "remove_domain",
    "reveal_api_key",
    "revoke_api_key",
    "set_up_domain",
]

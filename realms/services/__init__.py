"""Changes of a realm and of what it has, by noun. Each tells every edge, once it is committed."""

from realms.services.domains import claim_domain, remove_domain, set_up_domain
from realms.services.keys import IssuedKey, issue_api_key, reveal_api_key, revoke_api_key
from realms.services.limits import set_limits
from realms.services.origins import OriginChange, change_origin
from realms.services.realms import CreatedRealm, create_realm, delete_realm, label_realm
from realms.services.revocations import forget_expired_revocations, revoke_token, revoke_user, withdraw_revocation
from realms.services.rules import add_rule, change_rule, remove_rule
from realms.services.sandboxes import keep_sandbox, open_sandbox, remove_expired_sandboxes
from realms.services.token_keys import add_token_keys, remove_token_keys
from realms.services.token_making import make_token
from realms.services.usage import add_usage, say_connected
from realms.services.xmpp import add_xmpp_admin, allow_stanzas, remove_xmpp_admin, set_stanza_url
from realms.services.xmpp_receivers import add_xmpp_receiver, remove_xmpp_receiver

__all__ = [
    "CreatedRealm",
    "IssuedKey",
    "OriginChange",
    "add_rule",
    "add_token_keys",
    "add_usage",
    "add_xmpp_admin",
    "add_xmpp_receiver",
    "allow_stanzas",
    "change_origin",
    "change_rule",
    "claim_domain",
    "create_realm",
    "delete_realm",
    "forget_expired_revocations",
    "issue_api_key",
    "keep_sandbox",
    "label_realm",
    "make_token",
    "open_sandbox",
    "remove_domain",
    "remove_expired_sandboxes",
    "remove_rule",
    "remove_token_keys",
    "remove_xmpp_admin",
    "remove_xmpp_receiver",
    "reveal_api_key",
    "revoke_api_key",
    "revoke_token",
    "revoke_user",
    "say_connected",
    "set_limits",
    "set_stanza_url",
    "set_up_domain",
    "withdraw_revocation",
]

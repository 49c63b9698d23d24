"""Realms and what they have, by noun."""

from realms.models.access import RealmRule, Revocation, TokenKeySet
from realms.models.api_tokens import ApiToken, StoredAnswer
from realms.models.audit import AuditEntry
from realms.models.device_logins import DeviceLogin
from realms.models.domains import RealmDomain
from realms.models.keys import ApiKey
from realms.models.members import Invitation, Member
from realms.models.realms import MAX_LABEL_CHARACTERS, Realm, new_realm_id
from realms.models.sandboxes import Sandbox
from realms.models.usage import ConnectedCount, UsageDay
from realms.models.webhooks import RequestSubscription
from realms.models.xmpp import XmppAdmin, XmppReceiver, XmppReceiverChannel

__all__ = [
    "MAX_LABEL_CHARACTERS",
    "ApiKey",
    "ApiToken",
    "AuditEntry",
    "ConnectedCount",
    "DeviceLogin",
    "Invitation",
    "Member",
    "Realm",
    "RealmDomain",
    "RealmRule",
    "RequestSubscription",
    "Revocation",
    "Sandbox",
    "StoredAnswer",
    "TokenKeySet",
    "UsageDay",
    "XmppAdmin",
    "XmppReceiver",
    "XmppReceiverChannel",
    "new_realm_id",
]

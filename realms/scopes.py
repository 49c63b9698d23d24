"""What an API token may be used for. A token opens what its scopes name and its holder's role allows, never more."""

from enum import StrEnum


class Scope(StrEnum):
    """`area:deed`. Reading and changing are apart; so is what shows a secret."""

    REALMS_READ = "realms:read"
    REALMS_WRITE = "realms:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    KEYS_REVEAL = "keys:reveal"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    ITEMS_PUBLISH = "items:publish"
    ITEMS_READ = "items:read"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    RULES_READ = "rules:read"
    RULES_WRITE = "rules:write"
    ACCESS_READ = "access:read"
    ACCESS_WRITE = "access:write"
    ACCESS_ISSUE = "access:issue"
    DOMAINS_READ = "domains:read"
    DOMAINS_WRITE = "domains:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    WEBHOOKS_REVEAL = "webhooks:reveal"
    USAGE_READ = "usage:read"
    AUDIT_READ = "audit:read"

    @property
    def meaning(self) -> str:
        """One line for people."""
        return _MEANINGS[self]


_MEANINGS = {
    Scope.REALMS_READ: "see realms, their labels and addresses",
    Scope.REALMS_WRITE: "create, label and delete realms",
    Scope.KEYS_READ: "list realm keys, without their secrets",
    Scope.KEYS_WRITE: "add and revoke realm keys",
    Scope.KEYS_REVEAL: "read the secrets of realm keys",
    Scope.MEMBERS_READ: "see members and invitations",
    Scope.MEMBERS_WRITE: "invite, change and remove members",
    Scope.TOKENS_READ: "list API tokens",
    Scope.TOKENS_WRITE: "issue API tokens with no more than these scopes, and revoke them",
    Scope.ITEMS_PUBLISH: "publish items",
    Scope.ITEMS_READ: "read the history of channels",
    Scope.CONNECTIONS_READ: "see channels, connections and who is present",
    Scope.CONNECTIONS_WRITE: "disconnect connections, users and channels",
    Scope.RULES_READ: "see channel rules and limits",
    Scope.RULES_WRITE: "change channel rules and limits",
    Scope.ACCESS_READ: "examine subscriber tokens and list revocations",
    Scope.ACCESS_WRITE: "revoke subscriber tokens",
    Scope.ACCESS_ISSUE: "make subscriber tokens",
    Scope.DOMAINS_READ: "see domains and their origins",
    Scope.DOMAINS_WRITE: "change domains and their origins",
    Scope.WEBHOOKS_READ: "see webhooks, their deliveries and what was answered",
    Scope.WEBHOOKS_WRITE: "change webhooks and send again",
    Scope.WEBHOOKS_REVEAL: "read the secrets of webhooks",
    Scope.USAGE_READ: "see usage",
    Scope.AUDIT_READ: "see who changed what",
}

ALL_SCOPES = frozenset(Scope)
#: What a realm's own key opens: what the servers that hold it do, and nothing that would let a leaked key outlive
#: its revocation.
KEY_SCOPES = frozenset(
    {
        Scope.REALMS_READ,
        Scope.ITEMS_PUBLISH,
        Scope.ITEMS_READ,
        Scope.CONNECTIONS_READ,
        Scope.CONNECTIONS_WRITE,
        Scope.RULES_READ,
        Scope.ACCESS_READ,
        Scope.ACCESS_WRITE,
        Scope.ACCESS_ISSUE,
        Scope.DOMAINS_READ,
        Scope.USAGE_READ,
    }
)

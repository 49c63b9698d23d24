"""What can go wrong with realms and their keys; leaves of the tree in `fanoutcloud.core.errors`."""

from fanoutcloud.core.errors import FanoutError, Forbidden, InvalidRequest, NotFound, RateLimited


class RealmNotFound(NotFound):
    """There is no such realm, or it is somebody else's: the two look the same."""

    code = "realm_not_found"

    def __init__(self, realm_id: str) -> None:
        super().__init__(f"there is no realm {realm_id!r}", cure="check the id on the list of your realms")


class KeyNotFound(NotFound):
    """The realm has no live key with this id."""

    code = "key_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such key", cure="it may have been revoked; reload the page")


class RoleTooLow(Forbidden):
    """A member of the realm asks for what their role does not allow."""

    code = "role_too_low"

    def __init__(self, role: str, needed: str) -> None:
        super().__init__(
            f"your role in this realm is {role}; this needs {needed}",
            cure=f"ask an admin of the realm to make you {needed}",
        )


class ScopeMissing(Forbidden):
    """The API token or key is good, and not for this."""

    code = "scope_missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"the credential does not have the scope {scope}", cure=f"use an API token with {scope}")


class PersonNeeded(Forbidden):
    """What belongs to a person was asked for with a credential that belongs to a realm."""

    code = "person_needed"

    def __init__(self) -> None:
        super().__init__("this credential belongs to a realm, not to a person", cure="use a personal API token")


class ScopesExceeded(Forbidden):
    """A new token would open more than the credential that asks for it."""

    code = "scopes_exceeded"

    def __init__(self, scopes: list[str]) -> None:
        super().__init__(
            f"the credential does not itself have {', '.join(scopes)}", cure="ask for fewer scopes", field="scopes"
        )


class ApiTokenNotFound(NotFound):
    """There is no such API token here."""

    code = "api_token_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such API token", cure="it may have been revoked; list the tokens")


class BadExpiry(InvalidRequest):
    """A new API token would be over already, or would hold for too long."""

    code = "bad_expiry"

    def __init__(self) -> None:
        super().__init__(
            "the time is not between now and ten years from now",
            cure="choose a later time, or none",
            field="expires_at",
        )


class InvalidLabel(InvalidRequest):
    """A label of a realm or key is too long or can't be shown."""

    code = "invalid_label"

    def __init__(self, message: str) -> None:
        super().__init__(message, cure="use a shorter text of printable characters", field="label")


class LimitReached(FanoutError):
    """There are as many of a thing as may be."""

    code = "limit_reached"
    http_status = 409


class RealmLimitReached(LimitReached):
    """The user owns as many realms as one may."""

    code = "realm_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"you have {limit} realms, which is the limit", cure="delete one that is not in use")


class KeyLimitReached(LimitReached):
    """The realm has as many live keys as one may have."""

    code = "key_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the realm has {limit} live keys, which is the limit", cure="revoke a key that is not in use")


class ApiTokenLimitReached(LimitReached):
    """The person or realm has as many API tokens as one may have."""

    code = "api_token_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"there are {limit} API tokens, which is the limit", cure="revoke one that is not in use")


class LastKey(FanoutError):
    """The realm's only live key can't be revoked: nobody could publish."""

    code = "last_key"
    http_status = 409

    def __init__(self) -> None:
        super().__init__(
            "this is the realm's only live key",
            cure="add another, move your servers to it, then revoke this one",
        )


class SealBroken(FanoutError):
    """A stored secret can't be opened with any of the sealing keys."""

    code = "seal_broken"

    def __init__(self) -> None:
        super().__init__(
            "a stored secret can't be opened",
            cure="SEALING_KEYS must still list the key that sealed it",
        )


class DomainNotFound(NotFound):
    """The realm has no domain of this name."""

    code = "domain_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"the realm has no domain {name!r}", cure="add it on the realm's Domains page")


class InvalidDomainName(InvalidRequest):
    """No realm can have a domain of this name."""

    code = "invalid_domain_name"

    def __init__(self, message: str, *, cure: str) -> None:
        super().__init__(message, cure=cure, field="name")


class DomainTaken(FanoutError):
    """Another realm has proven the name, and its proof still holds."""

    code = "domain_taken"
    http_status = 409

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} belongs to another realm, whose proof still holds",
            cure="remove it there, or remove its TXT record from the DNS, then check again",
            field="name",
        )


class DomainExists(FanoutError):
    """The realm has the domain already."""

    code = "domain_exists"
    http_status = 409

    def __init__(self, name: str) -> None:
        super().__init__(f"the realm has {name} already", cure="open it in the list", field="name")


class DomainLimitReached(LimitReached):
    """The realm has as many domains as one may have."""

    code = "domain_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the realm has {limit} domains, which is the limit", cure="remove one that is not in use")


class InvalidDomainSetting(InvalidRequest):
    """A setting of a domain can't be used; `field` is its place, such as `origins[1].port`."""

    code = "invalid_domain_setting"


class InvalidRule(InvalidRequest):
    """A setting of a channel rule can't be used; `field` is its name."""

    code = "invalid_rule"


class InvalidRealmLimit(InvalidRequest):
    """A limit of a realm can't be used; `field` is its name."""

    code = "invalid_realm_limit"


class RuleNotFound(NotFound):
    """The realm has no such channel rule."""

    code = "rule_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such channel rule", cure="it may have been removed; list the rules again")


class RuleExists(FanoutError):
    """The realm has a rule for this pattern."""

    code = "rule_exists"
    http_status = 409

    def __init__(self, pattern: str) -> None:
        super().__init__(f"the realm has a rule for {pattern} already", cure="change that one", field="pattern")


class RuleLimitReached(LimitReached):
    """The realm has as many channel rules as one may have."""

    code = "rule_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the realm has {limit} rules, which is the limit", cure="use prefixes such as orders.*")


class InvalidRevocation(InvalidRequest):
    """There can't be such a token."""

    code = "invalid_revocation"


class RevocationNotFound(NotFound):
    """The realm has no such revocation."""

    code = "revocation_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such revocation", cure="it may be over; list them again")


class RevocationLimitReached(LimitReached):
    """The realm has revoked as many tokens and users as one may."""

    code = "revocation_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit:,} tokens and users are revoked, which is the limit",
            cure="revoke the key that signed the tokens, and sign new ones with another",
        )


class InvalidTokenKeys(InvalidRequest):
    """Public keys that can't be used; `field` is the place, such as `keys[1]`."""

    code = "invalid_token_keys"


class TokenKeysNotFound(NotFound):
    """The realm has no such set of public keys."""

    code = "token_keys_not_found"

    def __init__(self) -> None:
        super().__init__("the realm has no such public keys", cure="they may have been removed; list them again")


class TokenKeyLimitReached(LimitReached):
    """The realm has as many public keys as one may have."""

    code = "token_key_limit_reached"

    def __init__(self, sets: int, keys: int) -> None:
        super().__init__(f"the realm has {keys} public keys in {sets} sets; more do not fit", cure="remove old ones")


class InvalidTokenClaims(InvalidRequest):
    """No token can say this; `field` is the claim."""

    code = "invalid_token_claims"


class InvalidRequestUrl(InvalidRequest):
    """A URL that may not be called."""

    code = "invalid_url"


class RequestSubscriptionNotFound(NotFound):
    """Nothing calls this URL for this channel."""

    code = "subscription_not_found"

    def __init__(self) -> None:
        super().__init__("this URL is not called for this channel", cure="escape the whole URL, also / and :")


class RequestSubscriptionLimitReached(LimitReached):
    """As many URLs are called as may be."""

    code = "subscription_limit_reached"

    def __init__(self, limit: int, what: str) -> None:
        super().__init__(f"the {what} has {limit:,} URLs, which is the limit", cure="remove some that are not used")


class DeviceLoginNotFound(NotFound):
    """No program waits with this code or secret, or not any more."""

    code = "device_code_expired"

    def __init__(self) -> None:
        super().__init__("no program waits with this code", cure="it holds for ten minutes; run fanout login again")


class DeviceLoginPending(InvalidRequest):
    """Nobody has said yes or no; the program asks again."""

    code = "authorization_pending"

    def __init__(self) -> None:
        super().__init__("nobody has answered yet", cure="open the page, enter the code, and ask again")


class DeviceLoginTooFast(RateLimited):
    """The program asks too often."""

    code = "slow_down"

    def __init__(self, interval_s: int) -> None:
        super().__init__(f"asked again within {interval_s} s", retry_after_s=interval_s)


class DeviceLoginDenied(Forbidden):
    """Somebody has said no."""

    code = "access_denied"

    def __init__(self) -> None:
        super().__init__("the request was refused on the page", cure="run fanout login again if that was a mistake")


class TooManyDeviceLogins(RateLimited):
    """More programs wait than are let wait."""

    code = "too_many_device_logins"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many programs wait to be let in", retry_after_s=retry_after_s)

"""What can go wrong with realms and their keys; leaves of the tree in `fanoutcloud.core.errors`."""

from fanoutcloud.core.errors import FanoutError, InvalidRequest, NotFound


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

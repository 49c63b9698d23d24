"""Every error that a person or a program outside can meet, as one tree.

    FanoutError
    ├── InvalidRequest            400  the request can't be understood; names the place
    │   └── InvalidItem           400  an item in a publish body is wrong
    ├── Unauthorized              401  no credential, or one that does not hold
    ├── Forbidden                 403  a good credential, for something else
    ├── NotFound                  404
    ├── MethodNotAllowed          405
    ├── NotAcceptable             406
    ├── BodyTooLarge              413
    ├── ItemTooLarge              413  an item in a publish body is too large; names the place
    ├── RateLimited               429  carries when to try again
    │   └── LimitReached          429  a named limit, with its value
    └── Unavailable               503  carries when to try again

Each carries what happened (`str(error)`), the cause's place (`field`) and what to do about it (`cure`). Apps add
leaves of their own (`realms.errors`). Translated once, at the border: publish endpoint, transports, views.
"""

import math
from typing import Any, ClassVar, Literal


class FanoutError(Exception):
    """Base of all errors that are shown outside.

    `code` is stable and made for programs; `str()` and `cure` are one line each, made for people, and hold no secret.
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    default_cure: ClassVar[str] = ""
    channel: str | None = None  # which one, where it is about one of several
    item_ids: tuple[str, ...] = ()  # those that a refused publish named, as far as its body tells

    def __init__(self, message: str, *, cure: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cure = self.default_cure if cure is None else cure
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def __reduce__(self) -> tuple[Any, ...]:  # Any: as in `object`
        """Pickle what the error holds, whatever its constructor takes, so that it survives the way between workers."""
        return _restore_error, (type(self), self.args, self.__dict__)

    @property
    def line(self) -> str:
        """Problem and cure as the one line of text that client libraries put into their exceptions."""
        return f"{self}; {self.cure}" if self.cure else str(self)


def _restore_error(kind: type[FanoutError], args: tuple[object, ...], state: dict[str, object]) -> FanoutError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InvalidRequest(FanoutError):
    """The request can't be understood."""

    code = "invalid_request"
    http_status = 400


class InvalidItem(InvalidRequest):
    """An item of a publish request is wrong; `field` is its place, such as `items[2].formats.http-stream`."""

    code = "invalid_item"


class Unauthorized(FanoutError):
    """No credential came, or one that does not hold. `code` tells which."""

    http_status = 401

    def __init__(self, code: str, message: str, *, cure: str) -> None:
        super().__init__(message, cure=cure)
        self.code = code  # type: ignore[misc]  # the one error whose code is chosen where it is raised


class Forbidden(FanoutError):
    """A credential that holds, used for what it does not open."""

    code = "forbidden"
    http_status = 403


class NotFound(FanoutError):
    """Nothing is here, or nothing that the caller may know of."""

    code = "not_found"
    http_status = 404


class MethodNotAllowed(FanoutError):
    """The path exists, the method does not. `allow` lists those that do."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"method {method} is not offered here", cure=f"use {allow}")
        self.allow = allow


class NotAcceptable(FanoutError):
    """The caller accepts neither text nor JSON."""

    code = "not_acceptable"
    http_status = 406
    default_cure = "accept text/plain or application/json"


class BodyTooLarge(FanoutError):
    """The request body exceeds the limit."""

    code = "body_too_large"
    http_status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"the body is larger than {limit_bytes:,} bytes",
            cure="send less at once, in several requests",
        )
        self.limit_bytes = limit_bytes


class ItemTooLarge(FanoutError):
    """One item of a publish request exceeds what its realm allows."""

    code = "item_too_large"
    http_status = 413

    def __init__(
        self, size_bytes: int, limit_bytes: int, *, field: str | None = None, whose: str = "the realm's limit"
    ) -> None:
        super().__init__(
            f"the item holds {size_bytes:,} bytes of content; {whose} is {limit_bytes:,} (item_bytes)",
            cure="send smaller items, or a link to what is large",
            field=field,
        )
        self.limit = "item_bytes"
        self.limit_bytes = limit_bytes


class RateLimited(FanoutError):
    """A limit on the number of things per second was reached."""

    code = "rate_limited"
    http_status = 429
    retryable = True

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, cure=f"try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


LimitName = Literal[
    "publish_items",
    "channel_items",
    "egress_bytes",
    "connections",
    "channels",
    "connection_commands",
    "failed_credentials",
    "webhook_backlog",
]

#: Limit → code of the error, and the sentence that names its value.
_LIMITS: dict[LimitName, tuple[str, str]] = {
    "publish_items": ("rate_limited", "this realm may publish {}"),
    "channel_items": ("rate_limited", "a channel rule allows {}"),
    "egress_bytes": ("egress_limited", "this realm's subscribers were sent more than {}"),
    "connections": ("too_many_connections", "this realm may have {} at once"),
    "channels": ("too_many_channels", "this realm may have {} subscribed at once"),
    "connection_commands": ("too_many_commands", "one connection may send {}"),
    "failed_credentials": ("too_many_failures", "one address may fail {}"),
    "webhook_backlog": ("webhook_backlog", "{} of this realm may wait to be handed to webhooks"),
}


class LimitReached(RateLimited):
    """A limit was reached. Says which one (`limit`, and `code`), its value in words, and when to try again."""

    def __init__(self, limit: LimitName, value: str, *, retry_after_s: float, cure: str | None = None) -> None:
        code, sentence = _LIMITS[limit]
        super().__init__(f"{sentence.format(value)} (limit {limit})", retry_after_s=max(1, math.ceil(retry_after_s)))
        self.code = code  # type: ignore[misc]  # one code for each limit
        self.limit: LimitName = limit
        if cure is not None:
            self.cure = cure


def limit_members(error: FanoutError) -> dict[str, object]:
    """Return what an error tells programs about a limit: its name, and seconds until it is worth trying again."""
    limit, seconds = getattr(error, "limit", None), getattr(error, "retry_after_s", None)
    members: dict[str, object] = {} if limit is None else {"limit": limit}
    return members if limit is None or seconds is None else members | {"retry_after_s": seconds}


class Unavailable(FanoutError):
    """A part that is needed does not answer. What was asked for may have been done: repeat it with the same ids."""

    code = "unavailable"
    http_status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after_s: int = 2) -> None:
        super().__init__(message, cure=f"try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s

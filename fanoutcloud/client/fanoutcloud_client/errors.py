"""What goes wrong, as exceptions that say what, why and how to cure it.

FanoutError
├── InvalidRequest      the server does not understand it, or a value here can't be used (400, 405, 413, …)
├── Unauthorized        no credential, or one that does not hold (401)
├── Forbidden           the credential does not allow it (403)
├── NotFound            no such realm, channel or address, or not yours (404, 410)
├── LimitReached        the realm is at a limit; `retry_after_s` (429)
├── Unavailable         the service does not answer as it should (5xx); `retry_after_s`
├── Unreachable         no answer at all: name, network, TLS, time
├── SubscriptionClosed  you closed it
└── BadSignature        a webhook that is not from your realm
"""

from collections.abc import Mapping
from typing import Any


class FanoutError(Exception):
    """Something went wrong. `code` is for programs; message and cure are for people; `field` names the place."""

    code = "failed"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        cure: str = "",
        field: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.cure = cure
        self.field = field
        self.status = status
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message}; {self.cure}" if self.cure else self.message


class InvalidRequest(FanoutError):
    """The request is wrong; sending it again helps nothing."""

    code = "invalid_request"


class Unauthorized(FanoutError):
    """No credential came, or it does not hold."""

    code = "unauthorized"


class Forbidden(FanoutError):
    """The credential holds, but does not allow this."""

    code = "forbidden"


class NotFound(FanoutError):
    """There is no such thing, or it is not yours."""

    code = "not_found"


class LimitReached(FanoutError):
    """The realm is at one of its limits."""

    code = "limit_reached"
    retryable = True


class Unavailable(FanoutError):
    """The service, or a proxy before it, does not answer as it should."""

    code = "unavailable"
    retryable = True


class Unreachable(FanoutError):
    """No answer came. What was sent may have arrived, or not."""

    code = "unreachable"
    retryable = True


class SubscriptionClosed(FanoutError):
    """The subscription was closed here."""

    code = "closed"


class BadSignature(FanoutError):
    """The webhook's signature does not hold: do not use its body."""

    code = "bad_signature"


_BY_STATUS: dict[int, type[FanoutError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    410: NotFound,
    429: LimitReached,
}


def error_of_status(status: int) -> type[FanoutError]:
    """Return the class for an HTTP status."""
    return _BY_STATUS.get(status, Unavailable if status >= 500 else InvalidRequest)


def error_of_message(members: Mapping[str, Any], status: int) -> FanoutError:
    """Return the error that a server's `error` object tells: `code`, `message`, `cure`, `field`, `retry_after_s`."""
    retry_after_s = members.get("retry_after_s")
    return error_of_status(status)(
        str(members.get("message") or members.get("detail") or f"the server answered {status}"),
        code=str(members.get("code") or ""),
        cure=str(members.get("cure") or ""),
        field=str(members.get("field") or ""),
        status=status,
        retry_after_s=float(retry_after_s) if isinstance(retry_after_s, int | float) else None,
    )

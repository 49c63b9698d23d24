"""What can go wrong on the way out, as one tree.

    OutboundError
    ├── NotReached        nothing of the request can have been seen: another server may be tried
    │   ├── Blocked           the address policy or the URL gate refuses
    │   ├── NameNotFound      the name does not resolve
    │   ├── ConnectFailed     refused, unreachable
    │   ├── ConnectTimedOut
    │   ├── TlsFailed         handshake or certificate
    │   ├── EgressFailed      the installation's own proxy can't be reached or does not answer
    │   └── Busy              too many requests of this tenant to this server are under way
    └── ExchangeFailed    the server was reached
        ├── NoAnswer          it was too slow
        ├── BadAnswer         what it answers is no HTTP that we accept
        ├── BrokenOff         the connection ended in the middle
        ├── Misdirected       it leads elsewhere, and we do not follow
        └── AnswerTooLarge    more than the caller wants to collect

`str()` is one sentence for the tenant who named the server; it never tells what was found behind a refused address.
`cause` is a word of a closed set, for metrics and for programs.
"""

from typing import ClassVar, Literal

Cause = Literal[
    "blocked",
    "dns",
    "connect_refused",
    "connect_timeout",
    "tls",
    "egress",
    "busy",
    "timeout",
    "http",
    "reset",
    "redirect",
    "too_large",
]


class OutboundError(Exception):
    """Base of all. `cure` says what the tenant can do."""

    cause: ClassVar[Cause]
    cure: ClassVar[str] = ""


class NotReached(OutboundError):
    """The server can't have seen the request."""


class Blocked(NotReached):
    """The target is not allowed. `rule` is the rule that refuses, such as `loopback`."""

    cause = "blocked"
    cure = "name a server that the internet can reach, or have the installation permit its network (ALLOWED_TARGETS)"

    def __init__(self, what: str, rule: str) -> None:
        super().__init__(what, rule)
        self.what = what
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.what} is not allowed ({self.rule})"


class NameNotFound(NotReached):
    """The name has no address, or its name servers do not answer."""

    cause = "dns"
    cure = "check the name, and that its A or AAAA record is public"


class ConnectFailed(NotReached):
    """Nothing takes the connection."""

    cause = "connect_refused"
    cure = "check that the server runs, listens on this port, and that no firewall keeps us out"


class ConnectTimedOut(NotReached):
    """Nothing takes the connection in time."""

    cause = "connect_timeout"
    cure = ConnectFailed.cure


class TlsFailed(NotReached):
    """The server's certificate does not hold for the name, or it speaks no TLS that we accept."""

    cause = "tls"
    cure = "install a certificate of a public authority for this name, or use plain HTTP"


class EgressFailed(NotReached):
    """The proxy that the operator has all requests go through does not do its work; no fault of the target's."""

    cause = "egress"
    cure = "nothing is wrong with the target: tell the operator of this installation"


class Busy(NotReached):
    """As many requests as are allowed at once are under way."""

    cause = "busy"
    cure = "answer faster; what should wait is better held by the edge"


class ExchangeFailed(OutboundError):
    """The server was reached and may have acted on the request."""


class NoAnswer(ExchangeFailed):
    """The server took longer than it may."""

    cause = "timeout"
    cure = "answer faster; what should wait is better held by the edge"


class BadAnswer(ExchangeFailed):
    """The answer is no HTTP/1.1, or is framed ambiguously. `field` is the header that is wrong, if one is."""

    cause = "http"
    cure = "answer in HTTP/1.1 with one unambiguous length"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class BrokenOff(ExchangeFailed):
    """The connection ended before the answer was complete."""

    cause = "reset"
    cure = "look into the server's log for the request that it gave up"


class Misdirected(ExchangeFailed):
    """A redirect that is not followed: too many, without a place, or to one that the request may not go to."""

    cause = "redirect"
    cure = "set the final URL"


class AnswerTooLarge(ExchangeFailed):
    """The body is longer than the caller collects."""

    cause = "too_large"
    cure = "answer with less"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"the body is larger than {limit_text(self.limit_bytes)}"


def limit_text(limit_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{limit_bytes:,} bytes"

"""What all transports are to a subscription: a `Link` that brings messages, and two ways in which it ends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from fanoutcloud_client.errors import FanoutError
from fanoutcloud_client.service import Service, token_headers

TransportName = Literal["websocket", "http-stream", "sse", "long-poll"]
Message = dict[str, Any]  # JSON, by member name

#: A transport that is not ready in this time will not be.
OPEN_TIMEOUT_S = 10.0
#: Silence of a keep-alive and so much more means that the connection is dead.
SILENCE_S = 10.0
DEFAULT_KEEP_ALIVE_S = 25.0


class LinkLost(Exception):
    """The connection is over; another will do. `reason` is one of the server's words, or what was met."""

    def __init__(self, reason: str, *, at_once: bool = False, error: FanoutError | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at_once = at_once  # come back without delay, with some jitter
        self.error = error

    @property
    def retry_after_s(self) -> float | None:
        """When the server wants to be asked again."""
        return None if self.error is None else self.error.retry_after_s


class LinkRefused(Exception):
    """The server does not want us as we came; coming back the same way helps nothing."""

    def __init__(self, error: FanoutError) -> None:
        super().__init__(str(error))
        self.error = error


class LinkEnded(Exception):
    """The publisher, or the realm's owner, has ended the connection for good; `reason` are their words."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be subscribed. `since` has a position for each of `channels`, or is None: from now on."""

    service: Service
    channels: Sequence[str]
    since: str | None = None
    patterns: Sequence[str] = ()
    filter: str | None = None
    presence: bool = False
    token: str | None = field(default=None, repr=False)

    @property
    def query(self) -> list[tuple[str, str]]:
        """The members of the address that all transports share."""
        members = [("channel", channel) for channel in self.channels]
        members += [("pattern", pattern) for pattern in self.patterns]
        optional = [("since", self.since), ("filter", self.filter), ("presence", "1" if self.presence else None)]
        return members + [(name, value) for name, value in optional if value]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The request's headers, with the token."""
        return token_headers(self.token)


class Link(Protocol):
    """An open connection that has proven to work: its first message is there."""

    name: TransportName
    #: Whether a message tells each position, so that a jump is a loss.
    tells_every_position: bool

    async def receive(self) -> Message:
        """Return the next message; safe to cancel only when the link is closed afterwards.

        Raises:
            LinkLost, LinkRefused, LinkEnded: it is over.
        """

    async def send_token(self, token: str) -> bool:
        """Take another token without a break, or return False: that needs another connection."""

    async def close(self) -> None:
        """End it; never raises, returns at once or after a second."""


def end_of_closing(message: Message, told: FanoutError | None) -> Exception:
    """Return what a stream's last words mean; see docs/api/subscribe.md, "Close codes"."""
    reason = str(message.get("reason", "closed"))
    words = str(message.get("message", "")) or reason
    if message.get("reconnect") is True:
        return LinkLost(reason, at_once=reason in ("draining", "disconnected", "token_expired"), error=told)
    if reason in ("ended", "expelled"):
        return LinkEnded(words)
    return LinkRefused(told or FanoutError(words, code=reason))

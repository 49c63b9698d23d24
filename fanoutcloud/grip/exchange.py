"""What passes between the proxy and the holds: a client's request, its origin's answer, and the way to ask again.

The proxy sends a client's request on. When the head of the answer has come and bears instructions (a `Grip-*` header,
or media type `application/grip-instruct`), it collects the body and calls `Holds.take_over`; everything else it relays
itself. The transaction with the origin is over then, the client's is not: the exchange is how it goes on.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.domains import Domain
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.outbound.client import Upgraded
from fanoutcloud.outbound.messages import Headers, Request, Response

#: Request bodies up to this size are kept, so that the request can be repeated.
REPEATABLE_BODY_BYTES = 100_000
#: A body that bears instructions is collected up to this size.
INSTRUCTED_BODY_BYTES = 100_000
INSTRUCT_MEDIA_TYPE = b"application/grip-instruct"

#: A request as it goes to an origin, and an answer as it comes from one. A tenant's names, so that tests can fake them.
OriginRequest = Request
OriginResponse = Response
OriginUpgraded = Upgraded


@dataclass(slots=True)
class Answer:
    """A whole response for a client. Framing headers are left out: they follow from the body."""

    status: int
    reason: bytes
    headers: Headers
    body: bytes = b""


class OriginFailed(Exception):
    """The origin gave no answer that can be used. The realm's owner has been told.

    `message` is one sentence for the owner; the client sees it in debug mode only. `status` is what the client gets.
    """

    def __init__(self, message: str, *, cause: str, status: int = 502, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.status = status
        self.field = field


class Exchange(Protocol):
    """One client's request that an origin has answered. Lives as long as the client's request."""

    @property
    def snapshot(self) -> RealmSnapshot: ...

    @property
    def domain(self) -> Domain: ...

    @property
    def scope(self) -> Scope: ...

    @property
    def receive(self) -> Receive: ...

    @property
    def send(self) -> Send: ...

    @property
    def request(self) -> OriginRequest:
        """The request as the origin got it, less `Host`, `Grip-Sig`, `Grip-Feature` and `Grip-Last`: every sending has
        its own.
        """

    @property
    def body(self) -> bytes | None:
        """The whole request body; None when it was larger than `REPEATABLE_BODY_BYTES` and can't be repeated."""

    @property
    def url(self) -> str:
        """The absolute URL of the request, under the site: links are relative to it."""

    async def repeat(self, last_ids: Mapping[str, str]) -> OriginResponse:
        """Send the request to its origin again, with a `Grip-Last` for each channel → id of `last_ids`.

        Raises:
            OriginFailed: no answer came.
        """

    async def post(self, request: OriginRequest) -> OriginResponse:
        """Send a request of ours to the origins of this one, signed as all are.

        Raises:
            OriginFailed: no answer came.
        """

    async def upgrade(self, request: OriginRequest) -> OriginUpgraded | OriginResponse:
        """Have the origin switch protocols; its answer is a refusal if it does not.

        Raises:
            OriginFailed: no answer came.
        """

    async def fetch(self, url: str, last_ids: Mapping[str, str], *, method: bytes = b"GET") -> OriginResponse:
        """Follow a link. One to the scheme, host and port of `self.url` goes through the domain's routes, signed; any
        other is an external request. The client's own headers are not sent.

        Raises:
            OriginFailed: as above.
        """

    @property
    def dress_key(self) -> Hashable | None:
        """What is equal for exchanges that `dress` alike; None: this one is dressed for itself."""

    def dress(self, answer: Answer) -> Answer:
        """Return the answer as this client must get it: with CORS headers, or as a script (JSON-P)."""

    def dress_head(self, status: int, headers: Headers) -> Headers:
        """Return the headers of a response as this client must get them: without framing, hop-by-hop and `Grip-*` ones,
        without what could harm others on a shared host, with CORS headers where the domain adds them.
        """

    async def respond(self, answer: Answer) -> None:
        """Send a whole answer, dressed. For those who hold no connection of their own."""

    async def fail(self, failure: OriginFailed) -> None:
        """Answer the client with the failure's status; in debug mode with its message."""

    def tell_failed(self, message: str, *, cause: str, field: str | None = None) -> OriginFailed:
        """Tell the realm's owner what the origin did wrong, `field` being the offending header or member.

        Returns what to raise, or to hand to `fail`. Costs nothing when nobody watches.
        """


class Holds(Protocol):
    """Does as origins instruct; implemented by holds, called by the proxy."""

    async def take_over(self, exchange: Exchange, response: OriginResponse, body: bytes | None) -> None:
        """Answer the client as `response` instructs: at once, or after a hold. Returns when the client's request is
        over, or is held by a prepared sink.

        `body` is the collected body; None: it is longer than `INSTRUCTED_BODY_BYTES`, and `response.body` goes on
        with its beginning. Only holds of mode `stream` and next links by header allow that.

        Raises:
            OriginFailed: before anything was sent to the client; the proxy answers it.
        """

    async def run_socket_over_http(self, exchange: Exchange) -> None:
        """Serve a client's WebSocket by requests to its origin; return when it is over, or held by a prepared sink.

        Raises:
            LimitReached: before anything was sent to the client.
        """

    async def run_native_socket(self, exchange: Exchange) -> None:
        """The same with an origin that speaks WebSocket itself."""


def has_instructions(response: OriginResponse) -> bool:
    """Tell whether the answer is for the edge and not, as it is, for the client."""
    for name, value in response.headers:
        lower = name.lower()
        if lower.startswith(b"grip-"):
            return True
        if lower == b"content-type" and value.partition(b";")[0].strip().lower() == INSTRUCT_MEDIA_TYPE:
            return True
    return False

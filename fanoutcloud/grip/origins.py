"""The way to origins: one after the other until one is reached, signed, and told about when it goes wrong."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from fanoutcloud.core.activity import ActivitySink, OriginFailure, PassedOn
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.domains import Domain, Origin
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.statistics import OriginStatistics
from fanoutcloud.grip.exchange import OriginFailed, OriginRequest, OriginResponse
from fanoutcloud.grip.headers import FEATURES, ClientSide, host_for
from fanoutcloud.grip.signature import Signer
from fanoutcloud.outbound.client import OutboundClient, Upgraded
from fanoutcloud.outbound.errors import Blocked, ExchangeFailed, NotReached, OutboundError
from fanoutcloud.outbound.gate import GateRules, Target, parse_host, parse_url
from fanoutcloud.outbound.messages import Endpoint, Headers

#: An origin that could not be reached comes after the others for this long.
DOWN_S = 5.0
MAX_DOWN_KEPT = 4_096
MAX_HOSTS_KEPT = 4_096

_Answer = TypeVar("_Answer", bound=OriginResponse | Upgraded)


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom an origin is asked."""

    snapshot: RealmSnapshot
    domain: Domain
    client: ClientSide
    origins: tuple[Origin, ...]


#: Statuses by which an origin says that it does not believe who asks.
_TURNED_AWAY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class OriginGateway:
    """Sends requests to origins, and to servers that origins link to. One per process."""

    def __init__(
        self,
        client: OutboundClient,
        *,
        rules: GateRules,
        signer: Signer,
        activity: ActivitySink,
        clock: Clock,
        statistics: OriginStatistics,
        flight: FlightRecorder | None = None,
    ) -> None:
        self._flight = flight or FlightRecorder(clock)
        self._client = client
        self._rules = rules
        self._signer = signer
        self._activity = activity
        self._clock = clock
        self._statistics = statistics
        self._hosts: OrderedDict[str, str] = OrderedDict()  # as they were written → as the gate lets them through
        self._down: OrderedDict[tuple[str, Origin], float] = OrderedDict()

    async def send(
        self, caller: Caller, request: OriginRequest, last_ids: Mapping[str, str] | None = None
    ) -> OriginResponse:
        """Return the answer of the first origin that is reached, whatever its status is.

        Raises:
            OriginFailed: there is none. The realm's owner was told.
        """
        return await self._ask_in_turn(caller, request, last_ids or {}, self._client.send)

    async def upgrade(self, caller: Caller, request: OriginRequest) -> Upgraded | OriginResponse:
        """Have an origin switch protocols, in the same way.

        Raises:
            OriginFailed: as above.
        """
        return await self._ask_in_turn(caller, request, {}, self._client.upgrade)

    async def _ask_in_turn(
        self,
        caller: Caller,
        request: OriginRequest,
        last_ids: Mapping[str, str],
        ask: Callable[[str, Endpoint, OriginRequest], Awaitable[_Answer]],
    ) -> _Answer:
        """Return what the first origin that is reached answers when it is asked in this way."""
        signed = replace(request, headers=[*request.headers, *self.grip_headers(caller, last_ids)])
        for origin, is_last in self._in_turn(caller):
            try:
                endpoint, addressed = self._address(caller, origin, signed)
                began_at = self._clock.monotonic()
                answer = await ask(caller.snapshot.realm, endpoint, addressed)
            except NotReached as error:
                self._note_down(caller, origin)
                failure = self._failed(caller, origin.authority, request, error)
                if is_last:
                    raise failure from None
            except ExchangeFailed as error:
                raise self._failed(caller, origin.authority, request, error) from None
            else:
                self._note_answered(caller, origin, request, answer, self._clock.monotonic() - began_at)
                return answer
        raise AssertionError("a destination has origins")

    async def send_external(self, caller: Caller, url: str, request: OriginRequest) -> OriginResponse:
        """Send a request to a server that an origin's link names; it gets no signature.

        Raises:
            OriginFailed: as above.
        """
        try:
            target: Target = parse_url(url, self._rules)
            host = (b"Host", target.endpoint.authority.encode("latin-1"))
            addressed = replace(request, target=target.path.encode("latin-1"), headers=[host, *request.headers])
            response = await self._client.send(caller.snapshot.realm, target.endpoint, addressed)
        except OutboundError as error:
            raise self._failed(caller, url[:200], request, error) from None
        self._statistics.requests["answered"] += 1
        return response

    def grip_headers(self, caller: Caller, last_ids: Mapping[str, str]) -> Headers:
        """Return what GRIP adds to a request."""
        signature = self._signer.sign(caller.snapshot, caller.domain)
        headers: Headers = [] if signature is None else [(b"Grip-Sig", signature)]
        headers.append((b"Grip-Feature", FEATURES))
        for channel, last_id in last_ids.items():
            headers.append((b"Grip-Last", f"{channel}; last-id={last_id}".encode()))
        return headers

    def tell(
        self, caller: Caller, origin: str, request: OriginRequest, failure: OriginFailed, *, cure: str = ""
    ) -> None:
        """Tell the realm's owner, if anybody watches, and count."""
        self._statistics.requests[failure.cause] += 1
        realm = caller.snapshot.realm
        self._flight.note_refusal(
            realm,
            side="origin",
            status=failure.status,
            code=f"origin_{failure.cause}",
            message=failure.message,
            cure=cure,
            field=failure.field or "",
            address=caller.client.address,
            origin=origin,
        )
        if self._activity.is_watched(realm):
            event = OriginFailure(
                at=self._clock.now(),
                origin=origin,
                method=request.method.decode("latin-1"),
                path=request.target.decode("latin-1")[:200],
                cause=failure.cause,
                message=failure.message,
                cure=cure,
                field=failure.field,
                status=failure.status,
                address=caller.client.address,
            )
            self._activity.record(realm, event)

    def _note_answered(
        self,
        caller: Caller,
        origin: Origin,
        request: OriginRequest,
        answer: Upgraded | OriginResponse,
        wait_s: float,
    ) -> None:
        """Count an answer, and tell the realm's owner of it, if anybody watches."""
        self._statistics.requests["answered"] += 1
        self._statistics.head_waits.observe(wait_s)
        status = answer.response.status if isinstance(answer, Upgraded) else answer.status
        realm = caller.snapshot.realm
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TURNED_AWAY:
            self._note_answer(caller, origin, request, status)
        if self._activity.is_watched(realm):
            event = PassedOn(
                at=self._clock.now(),
                origin=origin.authority,
                method=request.method.decode("latin-1"),
                path=request.target.decode("latin-1")[:200],
                status=status,
                wait_s=wait_s,
                address=caller.client.address,
            )
            self._activity.record(realm, event)

    def _note_answer(self, caller: Caller, origin: Origin, request: OriginRequest, status: int) -> None:
        """Note an answer that says that something is wrong."""
        turned_away = status in _TURNED_AWAY
        path = request.target.decode("latin-1").partition("?")[0][:100]
        cure = "look into its own log for the time of the request"
        if turned_away:
            cure = "if it checks Grip-Sig, give it a live key of this realm; else the client has to sign in there"
        self._flight.note_refusal(
            caller.snapshot.realm,
            side="origin",
            status=status,
            code="origin_turned_away" if turned_away else "origin_error",
            message=f"the origin answered {status} to {request.method.decode('latin-1')} {path}",
            cure=cure,
            field="",
            address=caller.client.address,
            origin=origin.authority,
        )

    def _failed(self, caller: Caller, origin: str, request: OriginRequest, error: OutboundError) -> OriginFailed:
        failure = OriginFailed(str(error), cause=error.cause, field=getattr(error, "field", None))
        self.tell(caller, origin, request, failure, cure=error.cure)
        return failure

    def _address(self, caller: Caller, origin: Origin, request: OriginRequest) -> tuple[Endpoint, OriginRequest]:
        host = self._hosts.get(origin.host)
        if host is None:
            host = self._hosts[origin.host] = parse_host(origin.host, self._rules)
            if len(self._hosts) > MAX_HOSTS_KEPT:
                self._hosts.popitem(last=False)
        if self._rules.ports is not None and origin.port not in self._rules.ports:
            raise Blocked("the target", f"port {origin.port} is not called")
        headers = [(b"Host", host_for(origin, caller.domain, caller.client)), *request.headers]
        return Endpoint(host, origin.port, origin.is_tls), replace(request, headers=headers)

    # -- origins that are down

    def _in_turn(self, caller: Caller) -> list[tuple[Origin, bool]]:
        """Return origins in the order in which they are tried, each with whether it is the last one."""
        now = self._clock.monotonic()
        realm = caller.snapshot.realm
        order = sorted(caller.origins, key=lambda origin: self._down.get((realm, origin), 0.0) > now)
        return [(origin, origin is order[-1]) for origin in order]

    def _note_down(self, caller: Caller, origin: Origin) -> None:
        if len(caller.origins) > 1:
            self._down[caller.snapshot.realm, origin] = self._clock.monotonic() + DOWN_S
            self._down.move_to_end((caller.snapshot.realm, origin))
            if len(self._down) > MAX_DOWN_KEPT:
                self._down.popitem(last=False)

"""One client's request, passed on: what the proxy and the holds do with it. Implements `grip.exchange.Exchange`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.routing import ClientProtocol, find_destination
from fanoutcloud.edge.connections.client_response import AsgiResponse, ClientResponse
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.grip.client_sockets import find_handshake
from fanoutcloud.grip.cross_origin import add_cross_origin
from fanoutcloud.grip.exchange import Answer, OriginFailed, OriginRequest, OriginResponse, OriginUpgraded
from fanoutcloud.grip.headers import to_client
from fanoutcloud.grip.instructions import Answer as HeldAnswer
from fanoutcloud.grip.json_p import as_script
from fanoutcloud.grip.origins import Caller, OriginGateway
from fanoutcloud.grip.request_body import ClientBody
from fanoutcloud.outbound.messages import Headers

#: A client that takes nothing of its response for this long is given up.
STUCK_S = 60.0
ERROR_TEXT = "Error while proxying to origin."


@dataclass(slots=True)
class ClientExchange:
    """See `Exchange` for what is promised."""

    gateway: OriginGateway
    caller: Caller
    scope: Scope
    receive: Receive
    send: Send
    request: OriginRequest
    client_body: ClientBody
    url: str
    #: The function that a script element waits for (JSON-P).
    callback: str | None = None
    _response: ClientResponse | None = None

    @property
    def snapshot(self) -> RealmSnapshot:
        return self.caller.snapshot

    @property
    def domain(self) -> Domain:
        return self.caller.domain

    @property
    def body(self) -> bytes | None:
        if isinstance(self.request.body, bytes):
            return self.request.body
        return self.client_body.kept

    @property
    def response(self) -> ClientResponse:
        """What writes to the client, for whoever answers without holding."""
        if self._response is None:
            offer = self.scope.get("extensions", {}).get(EXTENSION)
            direct: ClientResponse | None = offer.respond(stuck_s=STUCK_S) if offer is not None else None
            self._response = direct or AsgiResponse(self.send, self.scope, stuck_s=STUCK_S)
        return self._response

    async def repeat(self, last_ids: Mapping[str, str]) -> OriginResponse:
        body = self.body
        assert body is not None, "whoever repeats has looked whether the body was kept"
        return await self.gateway.send(self.caller, replace(self.request, body=body, body_length=None), last_ids)

    async def post(self, request: OriginRequest) -> OriginResponse:
        return await self.gateway.send(self.caller, request)

    async def upgrade(self, request: OriginRequest) -> OriginUpgraded | OriginResponse:
        return await self.gateway.upgrade(self.caller, request)

    async def fetch(self, url: str, last_ids: Mapping[str, str], *, method: bytes = b"GET") -> OriginResponse:
        request = OriginRequest(method, b"/", [])
        target, own = urlsplit(url), urlsplit(self.url)
        if (target.scheme, target.netloc.lower()) != (own.scheme, own.netloc.lower()):
            return await self.gateway.send_external(self.caller, url, request)
        raw_path = (target.path or "/").encode("ascii", "replace")
        protocol: ClientProtocol = "ws" if self.scope["type"] == "websocket" else "http"
        is_tls = self.caller.client.is_tls
        found = find_destination(self.domain, raw_path, protocol=protocol, is_tls=is_tls)
        if found is None or not found.origins:
            raise self.tell_failed(f"the link {url[:200]} leads to no origin of this domain", cause="link")
        query = f"?{target.query}".encode("ascii", "replace") if target.query else b""
        caller = replace(self.caller, origins=found.origins)
        return await self.gateway.send(caller, replace(request, target=found.raw_path + query), last_ids)

    @property
    def dress_key(self) -> bool | None:
        is_plain = self.callback is None and self.domain.cross_origin != "auto"
        return bool(self.caller.client.prefix) if is_plain else None

    def dress(self, answer: Answer) -> Answer:
        if self.callback is not None:
            answer = as_script(self.callback, answer)
        return replace(answer, headers=self.dress_head(answer.status, answer.headers))

    def dress_head(self, status: int, headers: Headers) -> Headers:
        passed = to_client(headers, is_shared_host=bool(self.caller.client.prefix))
        return add_cross_origin(passed, self.scope["headers"]) if self.domain.cross_origin == "auto" else passed

    async def respond(self, answer: Answer) -> None:
        dressed = self.dress(answer)
        await self.response.start(dressed.status, dressed.reason, dressed.headers, length=len(dressed.body))
        await self.response.write(dressed.body)
        await self.response.finish([])

    async def fail(self, failure: OriginFailed) -> None:
        await self.respond(failed_answer(self, failure))

    def tell_failed(
        self, message: str, *, cause: str, field: str | None = None, cure: str = "", status: int = 502
    ) -> OriginFailed:
        failure = OriginFailed(message, cause=cause, field=field, status=status)
        self.gateway.tell(self.caller, self.caller.origins[0].authority, self.request, failure, cure=cure)
        return failure


def failed_answer(exchange: ClientExchange, failure: OriginFailed) -> Answer:
    """Return what the client is told of a failure: its cause in debug mode only."""
    return error_answer(failure.status, failure.message if exchange.domain.is_debug else ERROR_TEXT)


async def reject_websocket(exchange: ClientExchange, answer: Answer) -> None:
    """Answer a handshake that has not been answered yet with a response of HTTP."""
    handshake = find_handshake(exchange.scope, exchange.receive, exchange.send, EdgeLimits())
    dressed = exchange.dress(answer)
    reason = dressed.reason.decode("latin-1")
    await handshake.reject(HeldAnswer(dressed.status, reason, tuple(dressed.headers), dressed.body))


def error_answer(status: int, text: str) -> Answer:
    """Return an error in plain text."""
    headers = [(b"Content-Type", b"text/plain"), (b"X-Content-Type-Options", b"nosniff")]
    return Answer(status, HTTPStatus(status).phrase.encode(), headers, f"{text}\n".encode())

"""Passes clients' requests on to their realm's origins. Implements `edge.site.elsewhere.Elsewhere`."""

from time import perf_counter
from urllib.parse import quote

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.routing import ClientProtocol, Destination, find_destination
from fanoutcloud.edge.connections.client_response import ClientLeft
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.reporting.ledger import Ledger
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.edge.site.sites import Site, decode_path
from fanoutcloud.grip.client_exchange import ClientExchange, error_answer, failed_answer, reject_websocket
from fanoutcloud.grip.exchange import (
    INSTRUCTED_BODY_BYTES,
    Answer,
    Holds,
    OriginFailed,
    OriginRequest,
    OriginResponse,
    has_instructions,
)
from fanoutcloud.grip.headers import ClientSide, find_values, to_client, to_origin
from fanoutcloud.grip.json_p import MAX_WRAPPED_BYTES, ScriptRequest, read_script_request
from fanoutcloud.grip.leaving import LeaveWatch
from fanoutcloud.grip.origins import Caller, OriginGateway
from fanoutcloud.grip.request_body import ClientBody
from fanoutcloud.grip.resumed_body import collect_or_go_on
from fanoutcloud.outbound.errors import ExchangeFailed

EVENTS_MEDIA_TYPE = b"application/websocket-events"


class Proxy:
    """One per process."""

    def __init__(self, gateway: OriginGateway, holds: Holds, *, via: bytes, ledger: Ledger | None = None) -> None:
        """`via` is this installation's name in `Via`: a request that bears it has been here before."""
        self._ledger = ledger or Ledger()
        self._gateway = gateway
        self._via = via
        self._holds = holds

    def find_own_path(self, site: Site, snapshot: RealmSnapshot, scope: Scope) -> str | None:
        found = _find_destination(_domain_of(site, snapshot), site, scope)
        if found is None:
            return site.path  # nothing is said of it: our own transports refuse it
        return None if found.origins else found.path

    async def serve(self, site: Site, snapshot: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            exchange = self._begin(site, snapshot, scope, receive, send)
            if scope["type"] == "websocket":
                await self._serve_websocket(exchange)
            else:
                await self._serve_http(exchange)
        except ClientLeft:
            return

    async def _serve_http(self, exchange: ClientExchange) -> None:
        try:
            self._check(exchange)
            _make_script_request(exchange)
            async with LeaveWatch(exchange.receive, exchange.client_body) as watch:
                await self._pass_on(exchange, watch)
        except OriginFailed as failure:
            await exchange.fail(failure)
        except FanoutError as error:
            await exchange.respond(error_answer(error.http_status, error.line))

    async def _serve_websocket(self, exchange: ClientExchange) -> None:
        try:
            self._check(exchange)
            if exchange.domain.is_websocket_over_http:
                await self._holds.run_socket_over_http(exchange)
            else:
                await self._holds.run_native_socket(exchange)
        except OriginFailed as failure:
            await reject_websocket(exchange, failed_answer(exchange, failure))
        except FanoutError as error:
            await reject_websocket(exchange, error_answer(error.http_status, error.line))

    def _begin(self, site: Site, snapshot: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> ClientExchange:
        domain = _domain_of(site, snapshot)
        found = _find_destination(domain, site, scope)
        assert found is not None, "`find_own_path` was asked before"
        client = _client_side(site, scope)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        request = OriginRequest(
            method=scope.get("method", "GET").encode("latin-1"),
            target=found.raw_path + query,
            headers=to_origin(scope["headers"], domain, client, via=self._via),
        )
        scheme = "https" if client.is_tls else "http"
        url = f"{scheme}://{client.host.decode('latin-1')}{(_raw_path(site, scope) + query).decode('latin-1')}"
        return ClientExchange(
            gateway=self._gateway,
            caller=Caller(snapshot, domain, client, found.origins),
            scope=scope,
            receive=receive,
            send=send,
            request=request,
            client_body=ClientBody(scope["headers"], receive),
            url=url,
        )

    def _check(self, exchange: ClientExchange) -> None:
        """Refuse what must not reach an origin."""
        headers = exchange.scope["headers"]
        if any(self._via in value for value in find_values(headers, b"via")):
            raise exchange.tell_failed(
                "the request came back to this edge: the origin leads here",
                cause="loop",
                cure="name the server that the application runs on as the origin, not the domain that leads here",
            )
        is_post = exchange.request.method == b"POST"
        types = [value.partition(b";")[0].strip().lower() for value in find_values(headers, b"content-type")]
        if is_post and EVENTS_MEDIA_TYPE in types and exchange.domain.is_websocket_over_http:
            raise OriginFailed("clients may not send WebSocket events", cause="forbidden", status=403)

    async def _pass_on(self, exchange: ClientExchange, watch: LeaveWatch) -> None:
        await _attach_body(exchange)
        response = await self._gateway.send(exchange.caller, exchange.request)
        if has_instructions(response):
            try:
                body = await collect_or_go_on(response, INSTRUCTED_BODY_BYTES)
            except ExchangeFailed as error:
                raise exchange.tell_failed(str(error), cause=error.cause) from None
            await watch.stop()
            await self._holds.take_over(exchange, response, body)
            return
        begin_s = perf_counter()
        try:
            if exchange.callback is not None:
                await _answer_script(exchange, response, watch)
            else:
                await _relay(exchange, response, watch)
        finally:
            self._ledger.requested(exchange.snapshot.realm, perf_counter() - begin_s)


async def _attach_body(exchange: ClientExchange) -> None:
    """Give the request its body: whole if it is small and here, else as it comes."""
    body, request = exchange.client_body, exchange.request
    if request.body or body.is_whole:
        return
    if not find_values(exchange.scope["headers"], b"expect"):
        await body.read_beginning()
    if (kept := body.kept) is not None:
        request.body = kept
    else:
        request.body, request.body_length = body, body.length


def _make_script_request(exchange: ClientExchange) -> None:
    """Turn a GET with a callback into the request that it stands for (JSON-P)."""
    if not exchange.domain.has_json_p or exchange.request.method != b"GET":
        return
    script = read_script_request(exchange.scope["query_string"])
    if script is None:
        return
    request = exchange.request
    replaced = {name.lower() for name, _ in script.headers}
    exchange.callback = script.callback
    exchange.request = OriginRequest(
        method=script.method.encode("ascii"),
        target=_target_of(request.target, script),
        headers=[header for header in request.headers if header[0].lower() not in replaced] + script.headers,
        body=script.body,
    )


def _target_of(target: bytes, script: ScriptRequest) -> bytes:
    path = target.partition(b"?")[0]
    return path + b"?" + script.query if script.query else path


async def _answer_script(exchange: ClientExchange, response: OriginResponse, watch: LeaveWatch) -> None:
    try:
        body = await response.collect(MAX_WRAPPED_BYTES)
    except ExchangeFailed as error:
        raise exchange.tell_failed(str(error), cause=error.cause) from None
    await watch.stop()
    headers = to_client(response.headers, is_shared_host=False)
    await exchange.respond(Answer(response.status, response.reason, headers, body))


async def _relay(exchange: ClientExchange, response: OriginResponse, watch: LeaveWatch) -> None:
    """Stream the answer to the client as it comes; if it breaks off, the client's breaks off, too."""
    client = exchange.response
    headers = exchange.dress_head(response.status, response.headers)
    try:
        await client.start(response.status, response.reason, headers, length=response.length)
        async for piece in response.body:
            await client.write(piece)
        await watch.stop()
        await client.finish(response.trailers)
    except ExchangeFailed as error:
        exchange.tell_failed(str(error), cause=error.cause)
        client.break_off()
    finally:
        response.body.close()


def _domain_of(site: Site, snapshot: RealmSnapshot) -> Domain:
    return site.domain or snapshot.domains[0]


def _find_destination(domain: Domain, site: Site, scope: Scope) -> Destination | None:
    if not domain.origins and not domain.routes:
        return None
    is_tls = scope["scheme"] in ("https", "wss")
    protocol: ClientProtocol = "ws" if scope["type"] == "websocket" else "http"
    return find_destination(domain, _raw_path(site, scope), protocol=protocol, is_tls=is_tls)


def _raw_path(site: Site, scope: Scope) -> bytes:
    """Return the path under the site as the client escaped it."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
    raw = raw.partition(b"?")[0]  # some servers leave the query there
    if site.is_by_path:
        raw = b"/" + b"/".join(raw.split(b"/", 3)[3:])
    return raw if decode_path(raw) == site.path else quote(site.path).encode("ascii")


def _client_side(site: Site, scope: Scope) -> ClientSide:
    hosts = find_values(scope["headers"], b"host")
    return ClientSide(
        address=client_address(scope),
        is_tls=scope["scheme"] in ("https", "wss"),
        host=hosts[0] if hosts else b"",
        prefix=f"/r/{site.realm}" if site.is_by_path else "",
    )

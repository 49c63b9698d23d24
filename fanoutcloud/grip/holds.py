"""What becomes of an origin's answer that bears instructions: the door between the proxy and the holds."""

from fanoutcloud.broker.base import Broker
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.grip import filters
from fanoutcloud.grip.asking import read_body, rewritten
from fanoutcloud.grip.client_streams import run_stream_hold
from fanoutcloud.grip.exchange import Answer as ClientAnswer
from fanoutcloud.grip.exchange import Exchange, OriginResponse
from fanoutcloud.grip.held_subscribers import Services
from fanoutcloud.grip.instructions import Instruction
from fanoutcloud.grip.native_sockets import run_native_socket
from fanoutcloud.grip.response_holds import run_response_hold, to_client_answer
from fanoutcloud.grip.sockets_over_http import run_socket_over_http
from fanoutcloud.grip.stream_holds import post_gone

_TOO_LARGE = b"Request too large to accept GRIP instruct.\n"


class GripHolds:
    """Does as origins instruct, for all realms of one process. Implements `exchange.Holds`."""

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self.services = Services(hub, broker)

    async def take_over(self, exchange: Exchange, response: OriginResponse, body: bytes | None) -> None:
        """Answer the client as `response` instructs; see `exchange.Holds`.

        Raises:
            OriginFailed, LimitReached: before anything was sent to the client.
        """
        told = read_body(exchange, response, body or b"", uri=exchange.url)
        if told.mode is not None and exchange.body is None:
            await exchange.respond(ClientAnswer(400, b"Bad Request", [(b"Content-Type", b"text/plain")], _TOO_LARGE))
            return
        if body is None:
            self._check_long(exchange, told)
        rest = response.body if body is None else None
        if told.mode == "stream" or (told.mode is None and told.next_link is not None):
            await run_stream_hold(self.services, exchange, told, rest)
            return
        await self._answer(exchange, told)

    async def _answer(self, exchange: Exchange, told: Instruction) -> None:
        told = rewritten(exchange, told)
        if told.mode is None:
            post_gone(self.services, exchange, told.gone_link)
            await exchange.respond(to_client_answer(told.answer))
            return
        changed = await run_response_hold(self.services, exchange, told)
        if changed is not None:
            await run_stream_hold(self.services, exchange, changed)

    async def run_socket_over_http(self, exchange: Exchange) -> None:
        """Serve a client's WebSocket by requests to its origin; see `exchange.Holds`."""
        await run_socket_over_http(self.services, exchange)

    async def run_native_socket(self, exchange: Exchange) -> None:
        """Serve a client's WebSocket by one to its origin; see `exchange.Holds`."""
        await run_native_socket(self.services, exchange)

    def _check_long(self, exchange: Exchange, told: Instruction) -> None:
        """Refuse a body too long to be collected where it has to be read."""
        if told.mode == "response" or (told.mode is None and told.next_link is None):
            raise exchange.tell_failed("the answer's body is too long for instructions", cause="too_large")
        if any(filters.RESPONSE_FILTERS.intersection(channel.filters) for channel in told.channels):
            raise exchange.tell_failed("the answer's body is too long for the filter build-id", cause="too_large")

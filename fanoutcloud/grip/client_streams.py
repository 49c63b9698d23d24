"""The client's side of a stream hold: the head, and a sink for everything after it."""

import asyncio
from collections.abc import AsyncIterator

from fanoutcloud.edge.connections.held import EXTENSION, HeldPlainStream, HeldStream
from fanoutcloud.edge.connections.held_poll import HeldPoll
from fanoutcloud.edge.connections.sinks import PlainSink, send_last
from fanoutcloud.grip.exchange import Answer as ClientAnswer
from fanoutcloud.grip.exchange import Exchange
from fanoutcloud.grip.held_subscribers import Services
from fanoutcloud.grip.instructions import Answer, Instruction
from fanoutcloud.grip.published_answers import FRAMING_HEADERS, is_bodiless
from fanoutcloud.grip.stream_holds import StreamHold, make_stream_hold, post_gone
from fanoutcloud.outbound.messages import Headers


async def run_stream_hold(
    services: Services, exchange: Exchange, told: Instruction, rest: AsyncIterator[bytes] | None = None
) -> None:
    """Answer with an endless response as told; return when it is over, or held by our own server.

    Raises:
        LimitReached: the realm has all that it may have.
    """
    answer = told.answer
    if exchange.request.method == b"HEAD" or is_bodiless(answer.status):
        await exchange.respond(ClientAnswer(answer.status, answer.reason.encode(), _headers(answer)))
        post_gone(services, exchange, told.gone_link)
        return
    hub = services.hub
    await hub.ledger.admit(exchange.snapshot, [channel.name for channel in told.channels], hub.channels)
    offer = exchange.scope.get("extensions", {}).get(EXTENSION)
    hold = make_stream_hold(services, exchange, told, is_chunked=offer is not None and offer.is_chunked)
    status = b"%03d %b" % (answer.status, answer.reason.encode())
    held = None if offer is None else offer.hold(_head(exchange, answer), hold, status=status)
    if held is not None:
        hold.sink = held
        await hold.start(told, rest)
    else:
        await _pump(services, exchange, make_stream_hold(services, exchange, told, is_chunked=False), told, rest)


async def go_on_as_stream(services: Services, exchange: Exchange, told: Instruction, poll: HeldPoll) -> None:
    """Turn a held request of our own server into an endless response; nothing if its client has gone."""
    transport = poll.take_transport()
    if transport is None:
        return
    is_chunked = exchange.scope.get("http_version") != "1.0"
    hold = make_stream_hold(services, exchange, told, is_chunked=is_chunked)
    lines = [b"HTTP/1.1 %03d %b\r\n" % (told.answer.status, told.answer.reason.encode())]
    lines += [b"%b: %b\r\n" % header for header in _head(exchange, told.answer)]
    lines.append(b"Transfer-Encoding: chunked\r\n\r\n" if is_chunked else b"Connection: close\r\n\r\n")
    transport.write(b"".join(lines))
    kind = HeldStream if is_chunked else HeldPlainStream
    hold.sink = kind(transport, hold, limits=services.hub.limits, connections=poll.connections)
    await hold.start(told)


def _head(exchange: Exchange, answer: Answer) -> Headers:
    return exchange.dress_head(answer.status, _headers(answer))


def _headers(answer: Answer) -> Headers:
    return [header for header in answer.headers if header[0].lower() not in FRAMING_HEADERS]


async def _pump(
    services: Services,
    exchange: Exchange,
    hold: StreamHold,
    told: Instruction,
    rest: AsyncIterator[bytes] | None,
) -> None:
    """Serve a server without prepared sinks, until the stream ends."""
    hub, send = services.hub, exchange.send
    sink = hold.sink = PlainSink(hold, hub.limits)
    headers = _head(exchange, told.answer)
    await send({"type": "http.response.start", "status": told.answer.status, "headers": headers})

    async def send_frame(frame: bytes) -> None:
        await send({"type": "http.response.body", "body": frame, "more_body": True})

    await send_frame(b"")  # servers keep the head back until there is a body
    try:
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(_watch_client(exchange, hold))
            beginner = tasks.create_task(hold.start(told, rest))
            await sink.pump(send_frame)
            watcher.cancel()
            beginner.cancel()
        await send_last(send, {"type": "http.response.body", "body": b""}, hub.limits)
    finally:
        hold.on_lost()


async def _watch_client(exchange: Exchange, hold: StreamHold) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
    hold.sink.close(1000, "")
    hold.on_lost()

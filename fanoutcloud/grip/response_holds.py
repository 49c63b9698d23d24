"""Response holds: a request that is answered by an item, by time, or by asking the origin again.

Source: GRIP: response holds; docs/topics/grip.md.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.items import HttpResponse, Item
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.held_poll import HeldPoll
from fanoutcloud.grip.asking import rewritten
from fanoutcloud.grip.client_streams import go_on_as_stream
from fanoutcloud.grip.exchange import Answer as ClientAnswer
from fanoutcloud.grip.exchange import Exchange, OriginFailed
from fanoutcloud.grip.held_subscribers import HeldSubscriber, Services, Verdict
from fanoutcloud.grip.instructions import Answer, Instruction, standard_reason
from fanoutcloud.grip.published_answers import FRAMING_HEADERS, SharedAnswer, encode, merge
from fanoutcloud.grip.stream_holds import post_gone

_TEXT = ((b"Content-Type", b"text/plain"),)
UNAVAILABLE = Answer(500, "Internal Server Error", _TEXT, b"Accept service unavailable.\n")


class ResponseHold(HeldSubscriber):
    """One held request. `final` is what it is answered with; until it is set, time may answer with the origin's own."""

    __slots__ = ("_gone_link", "_poll", "_shared", "final", "stream", "timeout_s", "wake")

    def __init__(self, services: Services, exchange: Exchange, *, gone_link: str | None = None) -> None:
        super().__init__(services, exchange, services.response_wire)
        self.sink = _NoSink(self)
        self.close_reason = CloseReason.ANSWERED
        self._shared: SharedAnswer
        self._poll: HeldPoll | _Wait | None = None
        self._gone_link = gone_link
        self.timeout_s = 0.0
        self.final: Answer | None = None
        #: The origin, asked again, told to stream: somebody else goes on.
        self.stream: Instruction | None = None
        self.wake: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be waited for any more."""
        return self.final is not None or self.stream is not None or self.is_closed

    async def settle(self, told: Instruction | None) -> None:
        """Do as told, or ask first if there is nothing told; return when it holds or is over."""
        while not self.is_over:
            try:
                told = (
                    await self.services.asking.repeat(self.exchange, self.subscriptions.last_ids())
                    if told is None
                    else told
                )
                if told.mode != "response":
                    self._end_with(told)
                    return
                told = rewritten(self.exchange, told)
                self._shared = self.services.answers.share(told.answer)
                self.timeout_s = told.timeout_s
                await self.adopt(told)
                told = None
                if not await self.is_out_of_date() and self.take_waiting(lambda: self.is_over):
                    return
            except OriginFailed as failure:
                self.final = answer_failure(self.exchange, failure)
            except FanoutError:
                self.final = UNAVAILABLE

    def _end_with(self, told: Instruction) -> None:
        if told.mode is None and told.next_link is None:
            self.final = rewritten(self.exchange, told).answer
        else:
            self.stream = replace(told, gone_link=self._gone_link)
            self._gone_link = None

    # -- while it is held by our own server

    def hold(self, poll: "HeldPoll | _Wait") -> None:
        """Go on: items and time wake the poll, which has the connection."""
        self._poll = poll

    def ask_again(self) -> None:
        if self._poll is not None:
            self._poll.stop_timer()
        self.services.hub.spawn(self._resettle())

    async def _resettle(self) -> None:
        await self.settle(None)
        if self.stream is not None and isinstance(self._poll, HeldPoll):
            self.on_lost()
            await go_on_as_stream(self.services, self.exchange, self.stream, self._poll)
        elif self.is_over:
            self._wake()
        elif self._poll is not None:
            self._poll.restart_timer(self.timeout_s)

    def _wake(self) -> None:
        if self.wake is not None:
            self.wake()

    # -- items

    def has_use_for(self, item: Item) -> bool:
        return item.http_response is not None

    def judge(self, stored: StoredItem) -> Verdict:
        item, response = stored.item, stored.item.http_response
        if response is None or self.is_over:
            return Verdict.DONE
        if response.action == "hint":
            return Verdict.ASK if self.subscriptions.lets_through(item) else Verdict.DONE
        if self.subscriptions.is_missed(item):
            return Verdict.MISSED
        self.subscriptions.advance(item)
        if response.action == "send":
            self.final = self._answer_of(stored, response)
            if self.final is not None:
                self._wake()
        return Verdict.DONE

    def _answer_of(self, stored: StoredItem, response: HttpResponse) -> Answer | None:
        whole = self._shared.published(stored, response)
        body = self.content_of(stored.item, whole.body, response.content_filters)
        if body is None:
            return None
        return whole if body is whole.body else merge(self._shared.answer, response, body)

    # -- the answer (PollOwner)

    @property
    def is_last(self) -> bool:
        """Whether this process answers no more requests of this client."""
        return self.close_reason is CloseReason.DRAINING

    def answer(self) -> Answer:
        """Return the answer as of now."""
        return self.final or self._shared.answer

    def response(self) -> bytes:
        """Return the answer as bytes for the socket."""
        answer, key = self.final or self._shared.answer, self.exchange.dress_key
        closes = self.is_last or not (isinstance(self._poll, HeldPoll) and self._poll.keeps_alive)
        is_head = self.exchange.request.method == b"HEAD"
        if is_head or closes or key is None:
            return encode(dress(self.exchange, answer), is_head=is_head, closes=closes)
        return self._shared.encoded(answer, key, lambda: dress(self.exchange, answer))

    def on_left(self) -> None:
        """Know that the client did not wait for the answer."""
        self.close_reason = CloseReason.CLIENT_LEFT
        self.on_lost()

    def on_lost(self) -> None:
        is_first = not self.is_closed
        super().on_lost()
        if is_first:
            post_gone(self.services, self.exchange, self._gone_link)


class _NoSink:
    """What the hub sees of a held request: nothing is written before the answer, closing brings it on."""

    __slots__ = ("_hold",)

    def __init__(self, hold: ResponseHold) -> None:
        self._hold = hold

    def write(self, frame: bytes) -> None:
        """Keep-alives and closing words have no place in a response."""

    def unsent_bytes(self) -> int:
        return 0

    async def drained(self) -> None:
        """Nothing waits to be sent."""

    def close(self, code: int, reason: str) -> None:
        if self._hold.wake is not None:
            self._hold.wake()


def dress(exchange: Exchange, answer: Answer) -> Answer:
    """Return the answer as this client must get it."""
    dressed = exchange.dress(to_client_answer(answer))
    return Answer(dressed.status, dressed.reason.decode("utf-8", "replace"), tuple(dressed.headers), dressed.body)


def to_client_answer(answer: Answer) -> ClientAnswer:
    """Return the answer as the proxy takes it."""
    headers = [header for header in answer.headers if header[0].lower() not in FRAMING_HEADERS]
    return ClientAnswer(answer.status, answer.reason.encode(), headers, answer.body)


def answer_failure(exchange: Exchange, failure: OriginFailed) -> Answer:
    """Return what the client gets when the origin failed: the cause only where the domain says so."""
    text = failure.message if exchange.domain.is_debug else "Error while proxying to origin."
    return text_answer(failure.status, text)


def text_answer(status: int, text: str) -> Answer:
    """Return an error in plain text."""
    return Answer(status, standard_reason(status), _TEXT, f"{text}\n".encode())


async def run_response_hold(services: Services, exchange: Exchange, told: Instruction) -> Instruction | None:
    """Hold the client's request as told; return when it is answered, or held by our own server.

    Returns what the origin told instead if it changed its mind and wants a stream.

    Raises:
        LimitReached: the realm has all that it may have.
    """
    hub = services.hub
    await hub.ledger.admit(exchange.snapshot, [channel.name for channel in told.channels], hub.channels)
    hold = ResponseHold(services, exchange, gone_link=told.gone_link)
    hub.register(hold)
    is_held = False
    try:
        await hold.settle(told)
        hub.tell_connected(hold)
        if not hold.is_over:
            is_held = _hold_on_socket(hold)
            if is_held or not await _wait(hold):
                return None
    finally:
        if not is_held:
            hold.on_lost()
    if hold.stream is None:
        await exchange.respond(to_client_answer(hold.answer()))
    return hold.stream


def _hold_on_socket(hold: ResponseHold) -> bool:
    offer = hold.exchange.scope.get("extensions", {}).get(EXTENSION)
    poll = None if offer is None else offer.hold_poll(hold, timeout_s=hold.timeout_s)
    if poll is not None:
        hold.hold(poll)
    return poll is not None


async def _wait(hold: ResponseHold) -> bool:
    """Wait for an answer, the time limit or the client's leaving; return whether there is somebody to answer."""
    wait = _Wait(hold.timeout_s)
    hold.hold(wait)
    hold.wake = wait.ready.set
    leaving = asyncio.get_running_loop().create_task(_wait_for_leaving(hold))
    leaving.add_done_callback(lambda _: wait.ready.set())
    try:
        await wait.ready.wait()
        if leaving.done():
            hold.close_reason = CloseReason.CLIENT_LEFT
        return not leaving.done()
    finally:
        wait.stop_timer()
        leaving.cancel()


class _Wait:
    """What `HeldPoll` is on our own server, for a request on another one."""

    def __init__(self, timeout_s: float) -> None:
        self.ready = asyncio.Event()
        self.restart_timer(timeout_s)

    def stop_timer(self) -> None:
        self._timer.cancel()

    def restart_timer(self, seconds_left: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds_left, self.ready.set)


async def _wait_for_leaving(hold: ResponseHold) -> None:
    while (await hold.exchange.receive())["type"] != "http.disconnect":
        pass

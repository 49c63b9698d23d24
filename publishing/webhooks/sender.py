"""Makes one call and says what came of it. Never raises: whatever happens is an outcome."""

import asyncio
import logging
from datetime import datetime
from time import perf_counter

from django.utils import timezone

from fanoutcloud.outbound.client import OutboundClient, Patience
from fanoutcloud.outbound.errors import Blocked, ExchangeFailed, OutboundError
from fanoutcloud.outbound.messages import Request, Response, Trace
from publishing.webhooks.calls import Call, Outcome, Pairs
from publishing.webhooks.schedule import Verdict, judge_answer
from publishing.webhooks.signing import signature_headers

logger = logging.getLogger(__name__)

USER_AGENT = "FanoutCloud-Webhooks/1"
#: Of an answer, read so that the connection can be used again; and kept.
MAX_ANSWER_BYTES = 65_536
KEPT_ANSWER_BYTES = 4_096
MAX_KEPT_HEADERS = 64
MAX_KEPT_VALUE = 500

_ATTEMPT_CURES = {
    "timeout": "answer first and work later: what takes longer than the endpoint's time-out counts as failed",
    "busy": "answer faster; it is tried again",
}


class Sender:
    """Calls endpoints. Lives on one event loop."""

    def __init__(self, client: OutboundClient) -> None:
        self._client = client

    async def send(self, call: Call) -> Outcome:
        """Make the call. It ends within the endpoint's time-out; cancelling ends the connection."""
        started_at, began = timezone.now(), perf_counter()
        headers = _request_headers(call, started_at)
        attempt = _Attempt(began)
        try:
            verdict = await self._exchange(call, headers, attempt)
        except Exception:  # a fault of ours must not hold up other calls; it is tried again
            logger.exception("webhook_call_failed", extra={"endpoint": call.destination.endpoint_id})
            verdict = Verdict("lost", "the call broke off here", "nothing: it is tried again")
        return Outcome(
            call=call,
            verdict=verdict,
            started_at=started_at,
            ended_at=timezone.now(),
            total_ms=_since(began),
            first_byte_ms=attempt.first_byte_ms,
            trace=attempt.trace if verdict.cause != "blocked" else Trace(),
            request_headers=headers,
            response_headers=attempt.headers,
            answer=attempt.answer,
        )

    async def _exchange(self, call: Call, headers: Pairs, attempt: "_Attempt") -> Verdict:
        destination = call.destination
        if destination.target is None:
            return Verdict("blocked", destination.problem, Blocked.cure)
        endpoint, timeout_s = destination.target.endpoint, destination.timeout_s
        request = Request(
            call.first.method.encode(),
            destination.target.path.encode(),
            [
                (b"Host", endpoint.authority.encode()),
                *((name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers),
            ],
            call.body,
        )
        try:
            async with asyncio.timeout(timeout_s):
                patience = Patience(head_s=timeout_s, idle_s=timeout_s)
                response = await self._client.send(
                    destination.realm, endpoint, request, patience=patience, trace=attempt.trace
                )
                attempt.note_head(response)
                await attempt.read(response)
        except TimeoutError:
            if attempt.status is None:
                return Verdict("timeout", f"no answer within {timeout_s:g} s", _ATTEMPT_CURES["timeout"])
        except ExchangeFailed as error:
            if attempt.status is None:
                return _failed(error)
        except OutboundError as error:
            return _failed(error)
        except ValueError as error:
            return Verdict("http", f"the request can't be written: {error}", "check method and headers", is_final=True)
        assert attempt.status is not None
        return judge_answer(attempt.status, attempt.raw_headers, timezone.now())


class _Attempt:
    """What is known of an answer, however far it came."""

    def __init__(self, began: float) -> None:
        self._began = began
        self.trace = Trace()
        self.status: int | None = None
        self.first_byte_ms: float | None = None
        self.raw_headers: list[tuple[bytes, bytes]] = []
        self._kept = bytearray()

    def note_head(self, response: Response) -> None:
        self.first_byte_ms = _since(self._began)
        self.status = response.status
        self.raw_headers = response.headers

    async def read(self, response: Response) -> None:
        """Read the body to its end, or to `MAX_ANSWER_BYTES`; a body that breaks off changes nothing."""
        size = 0
        try:
            async for piece in response.body:
                size += len(piece)
                self._kept += piece[: KEPT_ANSWER_BYTES - len(self._kept)]
                if size > MAX_ANSWER_BYTES:
                    break
        finally:
            response.body.close()

    @property
    def headers(self) -> Pairs:
        return [
            (name.decode("latin-1"), value.decode("latin-1")[:MAX_KEPT_VALUE])
            for name, value in self.raw_headers[:MAX_KEPT_HEADERS]
        ]

    @property
    def answer(self) -> str:
        return self._kept.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _request_headers(call: Call, now: datetime) -> Pairs:
    first, destination = call.first, call.destination
    headers = [
        ("user-agent", USER_AGENT),
        ("accept-encoding", "identity"),
        *((name, value) for name, value in first.headers),
        ("fanout-realm", destination.realm),
        ("fanout-attempt", str(first.attempts + 1)),
    ]
    if first.channel and first.channel.isprintable() and first.channel.isascii():
        headers.append(("fanout-channel", first.channel))
    if first.replays:
        headers.append(("fanout-replay", "1"))
    if destination.keys.secrets or destination.keys.private_keys:
        stamp = int(now.timestamp())
        headers += signature_headers(destination.keys, webhook_id=call.webhook_id, timestamp=stamp, body=call.body)
    else:
        headers += [("webhook-id", call.webhook_id), ("webhook-timestamp", str(int(now.timestamp())))]
    return headers


def _failed(error: OutboundError) -> Verdict:
    return Verdict(error.cause, str(error), _ATTEMPT_CURES.get(error.cause, error.cure))


def _since(began: float) -> float:
    return round((perf_counter() - began) * 1000, 3)

"""Makes one call and says what came of it. Never raises: whatever happens is an outcome."""

import logging
from datetime import datetime

from django.utils import timezone

from fanoutcloud.outbound.calls import Call as OutboundCall
from fanoutcloud.outbound.calls import CallLimits, CallRecord, HttpClient, perform
from fanoutcloud.outbound.errors import Blocked, OutboundError
from fanoutcloud.outbound.messages import Trace
from publishing.webhooks.calls import Call, Outcome, Pairs
from publishing.webhooks.schedule import Verdict, judge_answer
from publishing.webhooks.signing import signature_headers

logger = logging.getLogger(__name__)

USER_AGENT = "FanoutCloud-Webhooks/1"
MAX_KEPT_HEADERS = 64
MAX_KEPT_VALUE = 500

_ATTEMPT_CURES = {
    "timeout": "answer first and work later: what takes longer than the endpoint's time-out counts as failed",
    "busy": "answer faster; it is tried again",
}


class Sender:
    """Calls endpoints. Lives on one event loop."""

    def __init__(self, client: HttpClient, *, docs_url: str = "") -> None:
        """`docs_url` is told to receivers: what calls them, and how to read it."""
        self._client = client
        self._user_agent = f"{USER_AGENT} (+{docs_url})" if docs_url else USER_AGENT

    async def send(self, call: Call) -> Outcome:
        """Make the call. It ends within the endpoint's time-out; cancelling ends the connection."""
        started_at = timezone.now()
        headers = [("user-agent", self._user_agent), *_request_headers(call, started_at)]
        record = CallRecord(Trace())
        try:
            record, verdict = await self._exchange(call, headers)
        except Exception:  # a fault of ours must not hold up other calls; it is tried again
            logger.exception("webhook_call_failed", extra={"endpoint": call.destination.endpoint_id})
            verdict = Verdict("lost", "the call broke off here", "nothing: it is tried again")
        return Outcome(
            call=call,
            verdict=verdict,
            started_at=started_at,
            ended_at=timezone.now(),
            total_ms=round(record.total_s * 1000, 3),
            first_byte_ms=None if record.head_s is None else round(record.head_s * 1000, 3),
            trace=record.trace if verdict.cause != "blocked" else Trace(),
            request_headers=headers,
            response_headers=_kept_headers(record),
            answer=record.body.decode("utf-8", "replace").replace("\x00", "\ufffd"),
        )

    async def _exchange(self, call: Call, headers: Pairs) -> tuple[CallRecord, Verdict]:
        destination = call.destination
        if destination.target is None:
            return CallRecord(Trace()), Verdict("blocked", destination.problem, Blocked.cure)
        written = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]
        made = OutboundCall(destination.target, call.first.method.encode(), written, call.body)
        limits = CallLimits(head_s=destination.timeout_s, total_s=destination.timeout_s)
        try:
            record = await perform(self._client, made, tenant=destination.realm, limits=limits)
        except ValueError as error:
            message = f"the request can't be written: {error}"
            return CallRecord(Trace()), Verdict("http", message, "check method and headers", is_final=True)
        if record.status is None:
            assert record.error is not None
            return record, _failed(record.error)
        return record, judge_answer(record.status, record.headers, timezone.now())


def _request_headers(call: Call, now: datetime) -> Pairs:
    first, destination = call.first, call.destination
    headers = [
        ("accept-encoding", "identity"),
        *_chosen_headers(first.headers, destination.headers),
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


def _chosen_headers(of_item: Pairs, of_endpoint: Pairs) -> Pairs:
    """Return both; where they name the same, the endpoint's: no publisher sends another credential in its place."""
    if not of_endpoint:
        return of_item
    named = {name.lower() for name, _ in of_endpoint}
    return [*((name, value) for name, value in of_item if name.lower() not in named), *of_endpoint]


def _kept_headers(record: CallRecord) -> Pairs:
    return [
        (name.decode("latin-1"), value.decode("latin-1")[:MAX_KEPT_VALUE])
        for name, value in record.headers[:MAX_KEPT_HEADERS]
    ]


def _failed(error: OutboundError) -> Verdict:
    return Verdict(error.cause, str(error), _ATTEMPT_CURES.get(error.cause, error.cure))

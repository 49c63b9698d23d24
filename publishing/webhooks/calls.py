"""Calls as the sender has them: claimed rows put together, an endpoint read for sending, and what came of it."""

from dataclasses import dataclass, field
from datetime import datetime

from fanoutcloud.outbound.gate import Target
from fanoutcloud.outbound.messages import Trace
from publishing.webhooks.pace import ALL, Takes
from publishing.webhooks.schedule import Verdict
from publishing.webhooks.signing import SigningKeys

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Destination:
    """An endpoint, read for sending. `target` is None where its URL is not allowed any more, and `problem` says why."""

    endpoint_id: int
    realm: str
    target: Target | None
    problem: str
    keys: SigningKeys = field(repr=False)
    headers: Pairs = field(default_factory=list, repr=False)  # of its own
    timeout_s: float = 15.0
    is_ordered: bool = False
    is_batched: bool = False
    released_at: float | None = None  # monotonic: when it was let go after a rest
    release_step_s: float = 1.0
    takes: Takes = ALL
    is_probed: bool = False  # it has failed: one call at a time, until one succeeds


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A delivery that is ours until its lease ends."""

    id: int
    webhook_id: str
    kind: str
    channel: str
    order_key: str
    batch: str
    method: str
    headers: Pairs
    body: bytes
    attempts: int
    tries: int
    replays: int
    last_cause: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be made for one row, or for several that go together."""

    destination: Destination
    rows: tuple[ClaimedRow, ...]
    claim: str
    start_by: float  # monotonic: later, the lease might end before the answer is written down
    webhook_id: str
    body: bytes

    @property
    def first(self) -> ClaimedRow:
        return self.rows[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call."""

    call: Call
    verdict: Verdict
    started_at: datetime
    ended_at: datetime
    total_ms: float
    first_byte_ms: float | None
    trace: Trace
    request_headers: Pairs
    response_headers: Pairs
    answer: str

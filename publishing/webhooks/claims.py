"""Taking deliveries that are due, so that nobody else takes them before a lease ends. Plain SQL, on indexes alone.

`for update skip locked` lets workers of PostgreSQL pass by each other; SQLite has one writer at a time anyway. A row
whose lease has ended is due like any other: so the rows of a worker that was killed are found again by themselves.
"""

import json
import secrets
import time
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from itertools import groupby, takewhile
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.gate import GateRules, Target, parse_url
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.bodies import batch_body
from publishing.webhooks.calls import Call, ClaimedRow, Destination, Pairs
from publishing.webhooks.losses import LOST, note_losses
from publishing.webhooks.own_headers import open_headers
from publishing.webhooks.signing import SigningKeys, private_key
from realms.errors import SealBroken
from realms.sealing import open_sealed

#: Beyond the endpoint's time-out: for waiting in the worker, and for writing down what came of it.
START_WITHIN_S = 5.0
LEASE_SLACK_S = 15.0
MAX_ENDPOINTS_PER_LOOK = 500
#: Endpoints that are kept read, so that nothing is unsealed for each visit.
MAX_DESTINATIONS = 1_000
MAX_BATCH_EVENTS = 100
MAX_BATCH_BYTES = 262_144
#: While one call probes an endpoint that rests, no other worker probes it.
PROBE_LEASE = timedelta(seconds=60)

State, Pause = WebhookEndpoint.State, WebhookEndpoint.Pause
_MAY_BE_CALLED = Q(state=State.ACTIVE) | Q(state=State.PAUSED, paused_by=Pause.FAILING)
#: When the first of an endpoint's deliveries is due. One look into the index, however many wait: asked with EXISTS, a
#: database may walk through all that wait for anybody.
_FIRST = Subquery(
    WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), state=WebhookDelivery.State.WAITING)
    .order_by("due_at")
    .values("due_at")[:1]
)
_TABLE = WebhookDelivery._meta.db_table
_COLUMNS = (
    "id, webhook_id, kind, channel, order_key, batch, method, headers, body, attempts, tries, replays, last_cause"
)
_CLAIM = (
    f"UPDATE {_TABLE} SET claim = %s, due_at = %s,"  # noqa: S608 - names of our own alone
    " attempts = attempts + CASE WHEN claim <> '' THEN 1 ELSE 0 END,"  # its lease has ended: that attempt is lost
    " tries = tries + CASE WHEN claim <> '' THEN 1 ELSE 0 END,"
    f" last_cause = CASE WHEN claim <> '' THEN '{LOST}' ELSE last_cause END,"
    " last_status = CASE WHEN claim <> '' THEN NULL ELSE last_status END"
    f" WHERE id IN ({{chosen}}) RETURNING {_COLUMNS}"
)
_DUE = (
    f"SELECT id FROM {_TABLE} WHERE endpoint_id = %s AND state = 'waiting' AND due_at <= %s"  # noqa: S608
    " ORDER BY due_at LIMIT %s{lock}"
)
#: The first that waits of each key, found by one look into the index for each; later ones wait for it.
_HEADS = (
    "WITH RECURSIVE keys(k) AS ("  # noqa: S608
    f"SELECT min(order_key) FROM {_TABLE} WHERE endpoint_id = %s AND state = 'waiting'"
    f" UNION ALL SELECT (SELECT min(order_key) FROM {_TABLE} WHERE endpoint_id = %s AND state = 'waiting'"
    " AND order_key > keys.k) FROM keys WHERE keys.k IS NOT NULL),"
    f" heads(id) AS (SELECT (SELECT min(id) FROM {_TABLE} WHERE endpoint_id = %s AND state = 'waiting'"
    " AND order_key = keys.k) FROM keys WHERE keys.k IS NOT NULL)"
    f" SELECT id FROM {_TABLE} WHERE id IN (SELECT id FROM heads) AND state = 'waiting' AND due_at <= %s"
    " ORDER BY due_at LIMIT %s{lock}"
)


def find_due_endpoints(now: datetime, worker: str) -> list[WebhookEndpoint]:
    """Return endpoints that something is due for and that a worker may call. Blocks: one query, one probe per endpoint.

    Of those that were paused for failing, the ones that are to be probed; none that another worker serves.
    """
    rested = Q(rests_until__isnull=True) | Q(rests_until__lte=now)
    free = Q(served_by=worker) | Q(served_until__isnull=True) | Q(served_until__lte=now)
    rows = WebhookEndpoint.objects.filter(_MAY_BE_CALLED & rested & free).alias(first=_FIRST).filter(first__lte=now)
    return list(rows.order_by("rests_until", "?")[:MAX_ENDPOINTS_PER_LOOK])


def find_next_due(worker: str, *, besides: Collection[int] = ()) -> datetime | None:
    """Return when the next call can be made, `besides` those to some endpoints; None: nothing waits.

    What another worker serves is looked at when its time is over: it may have been killed.

    Blocks: one query, one probe per endpoint.
    """
    rows = (
        WebhookEndpoint.objects.filter(_MAY_BE_CALLED)
        .exclude(pk__in=besides)
        .alias(first=_FIRST)
        .filter(first__isnull=False)
    )
    rested, free = Coalesce("rests_until", "first"), Coalesce("served_until", "first")
    free_for_it = Case(When(served_by=worker, then="first"), default=free)
    moments = rows.annotate(at=Greatest("first", rested, free_for_it)).order_by("at")
    return moments.values_list("at", flat=True).first()


class Destinations:
    """Endpoints as the sender needs them: read anew when something of them has changed. Of one thread."""

    def __init__(self, rules: GateRules) -> None:
        self._rules = rules
        self._known: dict[int, tuple[object, Destination]] = {}

    def read(self, endpoint: WebhookEndpoint, now: datetime) -> Destination:
        """Return an endpoint for sending."""
        is_probed = endpoint.rests > 0 or endpoint.state == State.PAUSED
        mark = (
            endpoint.url, endpoint.sealed_secret, endpoint.sealed_signing_key, endpoint.is_signed_by_old(now),
            endpoint.sealed_old_secret, endpoint.sealed_old_signing_key, endpoint.timeout_s, endpoint.is_ordered,
            endpoint.is_batched, is_probed, endpoint.sealed_headers,
            endpoint.released_at, endpoint.takes,
        )  # fmt: skip
        known = self._known.get(endpoint.pk)
        if known is not None and known[0] == mark:
            return known[1]
        if len(self._known) >= MAX_DESTINATIONS:
            self._known.clear()
        destination = self._read(endpoint, now, is_probed=is_probed)
        self._known[endpoint.pk] = (mark, destination)
        return destination

    def _read(self, endpoint: WebhookEndpoint, now: datetime, *, is_probed: bool) -> Destination:
        target: Target | None = None
        problem, keys, headers = "", SigningKeys(()), Pairs()
        try:
            keys, headers = read_keys(endpoint, now), open_headers(endpoint.sealed_headers)
            target = parse_url(endpoint.url, self._rules)
        except Blocked as blocked:
            problem = str(blocked)
        except SealBroken:
            problem = "the endpoint's secret can't be read here"
        return Destination(
            endpoint_id=endpoint.pk,
            realm=endpoint.realm_id,
            target=target,
            problem=problem,
            keys=keys,
            headers=headers,
            timeout_s=float(endpoint.timeout_s),
            is_ordered=endpoint.is_ordered,
            is_batched=endpoint.is_batched,
            released_at=_to_monotonic(endpoint.released_at, now),
            release_step_s=settings.WEBHOOK_DELAY_FACTOR,
            takes=endpoint.takes,
            is_probed=is_probed,
        )


def _to_monotonic(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else time.monotonic() - (now - moment).total_seconds()


def read_keys(endpoint: WebhookEndpoint, now: datetime) -> SigningKeys:
    """Return what signs calls now, the newest first. Raises `SealBroken`."""
    secrets_, seeds = [endpoint.sealed_secret], [endpoint.sealed_signing_key]
    if endpoint.is_signed_by_old(now):
        secrets_.append(endpoint.sealed_old_secret)
        seeds.append(endpoint.sealed_old_signing_key)
    return SigningKeys(
        tuple(open_sealed(sealed) for sealed in secrets_ if sealed),
        tuple(private_key(open_sealed(sealed)) for sealed in seeds if sealed),
    )


def claim_probe(endpoint: WebhookEndpoint, now: datetime) -> bool:
    """Return whether it is ours to probe an endpoint that has rested: nobody else does it meanwhile."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, rests_until=endpoint.rests_until)
    return bool(rows.update(rests_until=now + PROBE_LEASE))


def claim_calls(destination: Destination, count: int, *, monotonic: float) -> list[Call]:
    """Return at most `count` calls that are ours to make until their lease ends. Blocks.

    One statement, which is a transaction of its own, where no batches are put together.
    """
    with transaction.atomic() if destination.is_batched else nullcontext():
        return _claim_calls(destination, count, monotonic)


def _claim_calls(destination: Destination, count: int, monotonic: float) -> list[Call]:
    now, claim = timezone.now(), secrets.token_hex(8)
    lease_until = now + timedelta(seconds=START_WITHIN_S + destination.timeout_s + LEASE_SLACK_S)
    lock = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    row_count = count * MAX_BATCH_EVENTS if destination.is_batched and not destination.is_ordered else count
    endpoint_id = destination.endpoint_id
    with connection.cursor() as cursor:
        if destination.is_ordered:
            chosen, owner = _HEADS, [endpoint_id] * 3
        else:
            chosen, owner = _DUE, [endpoint_id]
        statement = _CLAIM.format(chosen=chosen.format(lock=lock))
        cursor.execute(statement, (claim, lease_until, *owner, now, row_count))
        rows = [_read_row(record) for record in cursor.fetchall()]
    rows.sort(key=lambda row: row.id)
    if destination.is_batched and destination.is_ordered:
        rows += _claim_followers(rows, destination, claim, lease_until)
    rows = note_losses(endpoint_id, claim, rows)
    groups = _to_batches(rows, destination) if destination.is_batched else [[row] for row in rows]
    start_by = monotonic + START_WITHIN_S
    return [_to_call(destination, group, claim, start_by) for group in groups]


def _claim_followers(
    heads: Sequence[ClaimedRow], destination: Destination, claim: str, lease_until: datetime
) -> list[ClaimedRow]:
    """Take what comes right behind each head in its channel, to go with it in one call."""
    followers: list[ClaimedRow] = []
    for head in heads:
        if not _is_batchable(head):
            continue
        chosen = (
            f"SELECT id FROM {_TABLE} WHERE endpoint_id = %s AND state = 'waiting' AND order_key = %s"  # noqa: S608
            " AND batch = %s AND id > %s ORDER BY id LIMIT %s"
        )
        owner = (destination.endpoint_id, head.order_key, head.batch, head.id, MAX_BATCH_EVENTS - 1)
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM.format(chosen=chosen), (claim, lease_until, *owner))
            found = sorted((_read_row(record) for record in cursor.fetchall()), key=lambda row: row.id)
        together = list(takewhile(_is_batchable, found))
        followers += together
        behind = [row.id for row in found[len(together) :]]  # another kind of call comes first
        WebhookDelivery.objects.filter(pk__in=behind).update(claim="", due_at=timezone.now())
    return followers


def _to_batches(rows: Sequence[ClaimedRow], destination: Destination) -> list[list[ClaimedRow]]:
    """Return rows that go together: batches that were tried before as they were, the others put together anew.

    A batch of which some rows are missing is a new one, under another id: what has one id never changes.
    """
    groups: list[list[ClaimedRow]] = []
    loose: dict[str, list[ClaimedRow]] = {}
    known: dict[str, list[ClaimedRow]] = {}
    for row in rows:
        if not _is_batchable(row):
            groups.append([row])
        elif row.batch:
            known.setdefault(row.batch, []).append(row)
        else:
            loose.setdefault(row.order_key, []).append(row)
    for batch, members in known.items():
        if len(members) == int(batch.split("_")[1]):
            groups.append(members)
        else:
            loose.setdefault(members[0].order_key, []).extend(members)
    for alike in loose.values():
        groups += [_name_batch(chunk) for chunk in _chunks(sorted(alike, key=lambda row: row.id))]
    return groups


def _is_batchable(row: ClaimedRow) -> bool:
    return not row.headers or row.headers == [("content-type", "application/json")]


def _chunks(rows: Sequence[ClaimedRow]) -> list[list[ClaimedRow]]:
    chunks: list[list[ClaimedRow]] = []
    size = 0
    for row in rows:
        size += len(row.body)
        if not chunks or len(chunks[-1]) >= MAX_BATCH_EVENTS or size > MAX_BATCH_BYTES:
            chunks.append([])
            size = len(row.body)
        chunks[-1].append(row)
    return chunks


def _name_batch(rows: list[ClaimedRow]) -> list[ClaimedRow]:
    name = f"bat_{len(rows)}_{secrets.token_hex(12)}"
    WebhookDelivery.objects.filter(pk__in=[row.id for row in rows]).update(batch=name)
    return [
        ClaimedRow(**{field: getattr(row, field) for field in ClaimedRow.__slots__} | {"batch": name}) for row in rows
    ]


def _to_call(destination: Destination, rows: Sequence[ClaimedRow], claim: str, start_by: float) -> Call:
    first = rows[0]
    is_batch = bool(first.batch)
    body = batch_body([row.body for row in rows]) if is_batch else first.body
    return Call(destination, tuple(rows), claim, start_by, first.batch if is_batch else first.webhook_id, body)


def release_calls(calls: Sequence[Call]) -> None:
    """Give back what was claimed and not begun: it is due at once. Blocks."""
    for claim, same in groupby(sorted(calls, key=lambda call: call.claim), key=lambda call: call.claim):
        ids = [row.id for call in same for row in call.rows]
        WebhookDelivery.objects.filter(pk__in=ids, claim=claim).update(claim="", due_at=timezone.now())


def _read_row(record: Sequence[Any]) -> ClaimedRow:  # Any: a database's row
    headers = json.loads(record[7]) if isinstance(record[7], str) else record[7]
    return ClaimedRow(
        id=record[0],
        webhook_id=record[1],
        kind=record[2],
        channel=record[3],
        order_key=record[4],
        batch=record[5],
        method=record[6],
        headers=[(name, value) for name, value in headers],
        body=bytes(record[8]),
        attempts=record[9],
        tries=record[10],
        replays=record[11],
        last_cause=record[12],
    )

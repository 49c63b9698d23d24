"""Fetching the public keys of customers whose login publishes them at a URL (JWKS, RFC 7517 §5).

What was fetched is stored, so that all edges have it in their snapshots; an edge that meets a key it does not know asks
for a look. However many ask, a URL is fetched once in `ASK_AGAIN_S`, which the row itself bounds over all processes.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.public_keys import MAX_KEY_SET_BYTES, parse_key_set
from fanoutcloud.outbound.calls import Call, CallLimits, perform
from fanoutcloud.outbound.errors import OutboundError
from fanoutcloud.outbound.gate import Target, parse_url
from fanoutcloud.way_out import WayOut, make_gate_rules, open_way_out
from realms.announcements import announce_change
from realms.models import TokenKeySet

logger = logging.getLogger(__name__)

#: A URL is looked at this often by itself, and no more often than `ASK_AGAIN_S` at somebody's request.
REFRESH_AFTER = timedelta(minutes=15)
ASK_AGAIN = timedelta(seconds=60)
CALL_LIMITS = CallLimits(
    head_s=5.0, total_s=10.0, read_bytes=MAX_KEY_SET_BYTES, kept_bytes=MAX_KEY_SET_BYTES, redirects=3
)
MAX_FETCHES_PER_RUN = 200
MAX_FETCHES_AT_ONCE = 10


async def fetch_token_keys(key_set_id: int) -> bool:
    """Fetch one set, if it is not too soon; return whether its keys are others than before."""
    async with open_way_out(settings) as way_out:
        return await _fetch_one(key_set_id, way_out)


async def fetch_keys_of_realm(realm: RealmId) -> bool:
    """Fetch all sets of a realm for which it is not too soon; return whether any keys are others than before."""
    since = timezone.now() - ASK_AGAIN
    rows = TokenKeySet.objects.filter(realm=realm).exclude(url="").filter(_not_since(since))
    ids = [pk async for pk in rows.values_list("pk", flat=True)]
    if not ids:
        return False
    async with open_way_out(settings) as way_out:
        return any(await asyncio.gather(*[_fetch_one(pk, way_out) for pk in ids]))


async def fetch_due_token_keys() -> int:
    """Fetch all sets that it is time for; return how many."""
    since = timezone.now() - REFRESH_AFTER
    rows = TokenKeySet.objects.exclude(url="").filter(_not_since(since)).order_by("asked_at")[:MAX_FETCHES_PER_RUN]
    ids = [pk async for pk in rows.values_list("pk", flat=True)]
    slots = asyncio.Semaphore(MAX_FETCHES_AT_ONCE)

    async def fetch(pk: int, way_out: WayOut) -> None:
        async with slots:
            await _fetch_one(pk, way_out)

    if ids:
        async with open_way_out(settings) as way_out, asyncio.TaskGroup() as fetches:
            for pk in ids:
                fetches.create_task(fetch(pk, way_out))
    return len(ids)


def _not_since(moment: datetime) -> Q:
    return Q(asked_at__isnull=True) | Q(asked_at__lt=moment)


async def _fetch_one(key_set_id: int, way_out: WayOut) -> bool:
    row = await sync_to_async(_claim)(key_set_id)
    if row is None:
        return False
    try:
        document = await _download(row, way_out)
        parse_key_set(document, source="u", is_lenient=True)
    except (OutboundError, _BadAnswer) as error:
        return await sync_to_async(_note_problem)(row.pk, f"{error}.")
    except InvalidRequest as error:
        return await sync_to_async(_note_problem)(row.pk, f"What it answers {error.message}.")
    return await sync_to_async(_store)(row.pk, document)


class _BadAnswer(Exception):
    """The server answers, but not with keys."""


async def _download(row: TokenKeySet, way_out: WayOut) -> str:
    headers = [(b"User-Agent", b"fanoutcloud"), (b"Accept", b"application/jwk-set+json, application/json")]
    call = Call(key_set_target(row.url), b"GET", headers)
    record = await perform(way_out.client, call, tenant=row.realm_id, read_target=key_set_target, limits=CALL_LIMITS)
    if record.error is not None:
        raise record.error
    if record.status != 200:
        raise _BadAnswer(f"it answers {record.status}")
    if not record.is_body_whole:
        is_long = record.body_bytes > MAX_KEY_SET_BYTES
        what = f"more than {MAX_KEY_SET_BYTES:,} bytes" if is_long else "a part of something"
        raise _BadAnswer(f"it answers {what}")
    try:
        return record.body.decode()
    except UnicodeDecodeError:
        raise _BadAnswer("it answers something that is no text") from None


def key_set_target(url: str) -> Target:
    """Return where a URL of keys leads.

    Raises:
        Blocked: it is not one that is called.
    """
    rules = make_gate_rules(settings)
    return parse_url(url, rules if settings.ALLOWED_TARGETS else replace(rules, schemes=("https",)))


def _claim(key_set_id: int) -> TokenKeySet | None:
    """Return the set if it is ours to fetch now: nobody else has asked for it within `ASK_AGAIN`."""
    now = timezone.now()
    rows = TokenKeySet.objects.filter(pk=key_set_id).exclude(url="")
    return rows.first() if rows.filter(_not_since(now - ASK_AGAIN)).update(asked_at=now) else None


def _note_problem(key_set_id: int, problem: str) -> bool:
    """Keep the keys that are there: a login that is down for an hour must not close its users' connections."""
    TokenKeySet.objects.filter(pk=key_set_id).update(problem=problem[:500])
    return False


@transaction.atomic
def _store(key_set_id: int, document: str) -> bool:
    row = TokenKeySet.objects.select_for_update().select_related("realm").filter(pk=key_set_id).first()
    if row is None:
        return False  # removed meanwhile
    is_news = row.document != document
    row.document, row.problem, row.fetched_at = document, "", timezone.now()
    row.save(update_fields=["document", "problem", "fetched_at"])
    if is_news:
        announce_change(row.realm)
    return is_news

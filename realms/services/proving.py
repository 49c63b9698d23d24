"""Finding the proofs of domains, at somebody's request and from time to time."""

import asyncio
import logging

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils import timezone

from fanoutcloud.way_out import WayOut, open_way_out
from realms.errors import DomainNotFound, DomainTaken
from realms.models import RealmDomain
from realms.proofs import Proof, find_proof, find_record
from realms.services.domains import drop_stale_claims, grant_domain, note_missing_proof, take_back

logger = logging.getLogger(__name__)

#: In one run of the periodic task, and at once.
MAX_CHECKS_PER_RUN = 40
MAX_CHECKS_AT_ONCE = 20
CHECK_LIMIT_S = 25.0


async def prove_domain(row: RealmDomain) -> RealmDomain:
    """Look for the proof of a realm's domain and store what was found; return the row as it is then.

    When another realm has the name, its proof is looked for, too: if that has gone, the name changes hands.

    Raises:
        DomainNotFound: it was removed meanwhile.
        DomainTaken: another realm has it, and its proof still holds.
    """
    async with open_way_out(settings) as way_out:
        return await _prove(row, way_out)


async def _prove(row: RealmDomain, way_out: WayOut) -> RealmDomain:
    proof = await _look(row, way_out)
    if not proof.kind:
        return await sync_to_async(note_missing_proof)(domain_id=row.pk, problem=proof.problem)
    holder = await RealmDomain.objects.holders(row.name).exclude(pk=row.pk).afirst()
    if holder is not None and await _has_let_go(holder, proof, way_out):
        await sync_to_async(take_back)(domain_id=holder.pk)
    try:
        return await sync_to_async(grant_domain)(domain_id=row.pk, proof=proof.kind)
    except DomainTaken as error:
        await sync_to_async(note_missing_proof)(domain_id=row.pk, problem=f"The proof is found, but {error.message}.")
        raise


async def _has_let_go(holder: RealmDomain, proof: Proof, way_out: WayOut) -> bool:
    """Tell whether the one who has a name can't prove it any more as well as somebody who has just proven it.

    Who sets the name's DNS has the last word: a file may be served by the old owner's site, or by ourselves.
    """
    if proof.kind == "dns":
        return bool(await find_record(holder.name, holder.challenge, way_out.resolver))
    return not (await _look(holder, way_out)).kind


async def _look(row: RealmDomain, way_out: WayOut) -> Proof:
    try:
        async with asyncio.timeout(CHECK_LIMIT_S):
            return await find_proof(
                name=row.name,
                challenge=row.challenge,
                tenant=row.realm_id,
                resolver=way_out.resolver,
                client=way_out.client,
            )
    except TimeoutError:
        return Proof("", f"There was no answer within {CHECK_LIMIT_S:g} seconds.")


async def check_due_domains() -> int:
    """Look for the proofs that it is time for; drop claims that are too old. Return how many were looked for."""
    await sync_to_async(drop_stale_claims)()
    due = [row async for row in RealmDomain.objects.due(timezone.now())[:MAX_CHECKS_PER_RUN]]
    slots = asyncio.Semaphore(MAX_CHECKS_AT_ONCE)
    if due:
        async with open_way_out(settings) as way_out, asyncio.TaskGroup() as checks:
            for row in due:
                checks.create_task(_check(row, way_out, slots))
    return len(due)


async def _check(row: RealmDomain, way_out: WayOut, slots: asyncio.Semaphore) -> None:
    async with slots:
        try:
            after = await _prove(row, way_out)
        except (DomainNotFound, DomainTaken):
            return
    if row.is_proven and not after.is_proven:
        logger.warning("domain_lapsed", extra={"realm": row.realm_id, "domain": row.name})

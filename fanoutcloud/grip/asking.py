"""Asking origins again: repeated requests and links, with a bound on how many at once, and answers read as told.

Fetches of one link that come together are one fetch. Source: GRIP: next and gone links.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.names import RealmId
from fanoutcloud.grip import filters
from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.exchange import Exchange, OriginFailed, OriginResponse, has_instructions
from fanoutcloud.grip.filters import FilterFault
from fanoutcloud.grip.instruct_documents import read_instruction
from fanoutcloud.grip.instructions import Answer, Instruction
from fanoutcloud.outbound.errors import ExchangeFailed

#: Of one realm, at once, in this process. A broadcast that makes all holds ask is spread by this.
MAX_REPEATS_AT_ONCE = 50
#: Fetches of one link begin at most every so often; those who ask meanwhile share the next.
LINK_PERIOD_S = 0.1
MAX_REMEMBERED_LINKS = 10_000
#: A repeated answer, or a link's, is collected up to this size.
MAX_ANSWER_BYTES = 10_000_000

_LinkKey = tuple[RealmId, str, str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Fetch:
    """One link that is about to be fetched, and those who wait for it."""

    result: asyncio.Future[tuple[int, Instruction]]


class Asking:
    """For all realms of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._repeats: dict[RealmId, asyncio.Semaphore] = {}
        self._fetches: dict[_LinkKey, _Fetch] = {}
        self._fetched_at: OrderedDict[_LinkKey, float] = OrderedDict()

    async def repeat(self, exchange: Exchange, last_ids: Mapping[str, str]) -> Instruction:
        """Return what the origin tells when the client's request is sent to it again.

        Raises:
            OriginFailed: it tells nothing, or nonsense.
        """
        realm = exchange.snapshot.realm
        async with self._repeats.setdefault(realm, asyncio.Semaphore(MAX_REPEATS_AT_ONCE)):
            return await read_answer(exchange, await exchange.repeat(last_ids), uri=exchange.url)

    async def fetch(self, exchange: Exchange, url: str, last_ids: Mapping[str, str]) -> tuple[int, Instruction]:
        """Return status and content of a link. Shared by all who ask for the same before it is sent.

        Raises:
            OriginFailed: it tells nothing, or nonsense.
        """
        key = (exchange.snapshot.realm, exchange.domain.name, url, tuple(sorted(last_ids.items())))
        fetch = self._fetches.get(key)
        if fetch is None:
            fetch = self._fetches[key] = _Fetch(asyncio.get_running_loop().create_future())
            await self._fetch(key, fetch, exchange, last_ids)
        return await asyncio.shield(fetch.result)

    async def _fetch(self, key: _LinkKey, fetch: _Fetch, exchange: Exchange, last_ids: Mapping[str, str]) -> None:
        url = key[2]
        try:
            try:
                await self._wait_for_turn(key)
            finally:
                del self._fetches[key]
            response = await exchange.fetch(url, last_ids)
            fetch.result.set_result((response.status, await read_answer(exchange, response, uri=url)))
        except OriginFailed as failed:
            fetch.result.set_exception(failed)
        finally:
            if not fetch.result.done():  # cancelled, or a fault of ours: those who share it try again
                fetch.result.set_exception(OriginFailed("the link was not fetched", cause="ended"))
            fetch.result.exception()  # seen, whoever else waits

    async def _wait_for_turn(self, key: _LinkKey) -> None:
        now = self._clock.monotonic()
        at = max(now, self._fetched_at.get(key, 0.0) + LINK_PERIOD_S)
        self._fetched_at[key] = at
        self._fetched_at.move_to_end(key)
        if len(self._fetched_at) > MAX_REMEMBERED_LINKS:
            self._fetched_at.popitem(last=False)
        await asyncio.sleep(at - now)  # 0 lets those of the same turn of the loop gather


async def read_answer(exchange: Exchange, response: OriginResponse, *, uri: str) -> Instruction:
    """Return what an answer tells; one without instructions is its own content and nothing else.

    Raises:
        OriginFailed: it does not come whole, or tells nonsense; the owner has been told.
    """
    try:
        body = await response.collect(MAX_ANSWER_BYTES)
    except ExchangeFailed as failure:
        raise exchange.tell_failed(str(failure), cause="broken_answer") from failure
    return read_body(exchange, response, body, uri=uri)


def read_body(exchange: Exchange, response: OriginResponse, body: bytes, *, uri: str) -> Instruction:
    """Return what an answer with this body tells.

    Raises:
        OriginFailed: it tells nonsense; the owner has been told.
    """
    reason = response.reason.decode("utf-8", "replace")
    if not has_instructions(response):
        return Instruction(answer=Answer(response.status, reason, tuple(response.headers), body))
    try:
        return read_instruction(response.headers, status=response.status, reason=reason, body=body, uri=uri)
    except BadInstruction as error:
        raise exchange.tell_failed(error.line, cause=error.code, field=error.field) from error


def rewritten_body(told: Instruction) -> bytes:
    """Return the origin's content as the filters of its channels make it.

    Raises:
        FilterFault: a filter can't do its work.
    """
    names = tuple(name for channel in told.channels for name in channel.filters)
    return filters.rewrite_response(names, told.answer.body, told.meta) if names else told.answer.body


def rewritten(exchange: Exchange, told: Instruction) -> Instruction:
    """Return the instruction with its content as `rewritten_body` makes it.

    Raises:
        OriginFailed: a filter can't do its work; the owner has been told.
    """
    try:
        body = rewritten_body(told)
    except FilterFault as fault:
        raise exchange.tell_failed(fault.line, cause=fault.code, field=fault.field) from fault
    return told if body is told.answer.body else replace(told, answer=replace(told.answer, body=body))

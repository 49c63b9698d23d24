"""Connections at once, in line, and idle: numbers and times that are bounded."""

import asyncio

import pytest

from fanoutcloud.outbound.errors import Busy, ConnectFailed
from fanoutcloud.outbound.messages import Endpoint
from fanoutcloud.outbound.pool import PoolLimits
from tests.edge.worlds import until
from tests.fakes.garbage import watched_garbage
from tests.outbound.worlds import TENANT, client_of, endpoint_of, fetch, get, read
from tests.servers.command import free_port
from tests.servers.origin import Caller, answering, origin_server


class Gate:
    """An origin whose answers wait until they are let through."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.at_once = self.most = 0

    async def script(self, caller: Caller) -> None:
        while await caller.request() is not None:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await self.opened.wait()
            self.at_once -= 1
            await caller.answer(b"ok")


async def test_no_more_are_open_than_allowed_and_the_others_wait_in_line() -> None:
    gate = Gate()
    async with client_of(limits=PoolLimits(open_at_once=3)) as client, origin_server(gate.script) as origin:
        asking = [asyncio.create_task(fetch(client, origin)) for _ in range(10)]
        await until(lambda: gate.at_once == 3)
        gate.opened.set()

        bodies = [await read(await one) for one in asking]

    assert bodies == [b"ok"] * 10
    assert (gate.most, origin.connections) == (3, 3)
    assert client.pool.lent_count == 0


async def test_few_are_opened_at_the_same_time() -> None:
    async with client_of(limits=PoolLimits(connecting_at_once=1)) as client, origin_server(answering(b"ok")) as origin:
        answers = await asyncio.gather(*(fetch(client, origin) for _ in range(20)))

        assert [await read(one) for one in answers] == [b"ok"] * 20


async def test_a_line_that_is_too_long_or_too_slow_is_busy() -> None:
    gate = Gate()
    limits = PoolLimits(open_at_once=1, waiting=1, wait_s=0.05)
    async with client_of(limits=limits) as client, origin_server(gate.script) as origin:
        first = asyncio.create_task(fetch(client, origin))
        await until(lambda: gate.at_once == 1)
        second = asyncio.create_task(fetch(client, origin))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await fetch(client, origin)
        with pytest.raises(Busy):
            await second
        gate.opened.set()
        assert await read(await first) == b"ok"
        assert await read(await fetch(client, origin)) == b"ok"
    assert client.pool.lent_count == 0


async def test_whoever_leaves_the_line_gives_the_place_to_the_next() -> None:
    gate = Gate()
    async with client_of(limits=PoolLimits(open_at_once=1)) as client, origin_server(gate.script) as origin:
        first = asyncio.create_task(fetch(client, origin))
        await until(lambda: gate.at_once == 1)
        leaving, staying = (asyncio.create_task(fetch(client, origin)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        gate.opened.set()
        await read(await first)

        assert await read(await staying) == b"ok"
    assert client.pool.lent_count == 0


async def test_tenants_do_not_wait_for_one_another() -> None:
    gate = Gate()
    async with client_of(limits=PoolLimits(open_at_once=1)) as client, origin_server(gate.script) as origin:
        tasks = [asyncio.create_task(client.send(one, endpoint_of(origin), get())) for one in ("alice", "bob")]
        await until(lambda: gate.at_once == 2)
        gate.opened.set()

        assert [await read(await task) for task in tasks] == [b"ok", b"ok"]


async def test_failed_connects_leave_no_trace() -> None:
    nowhere = Endpoint("127.0.0.1", free_port())
    async with client_of(limits=PoolLimits(open_at_once=2)) as client:
        for _ in range(5):
            with pytest.raises(ConnectFailed):
                await client.send(TENANT, nowhere, get())
        assert client.pool.lent_count == 0
        assert client.pool._lines == {}


async def test_idle_connections_are_few_and_end_after_a_while() -> None:
    limits = PoolLimits(idle=2, idle_s=0.1)
    async with client_of(limits=limits) as client, origin_server(answering(b"ok")) as origin:
        answers = await asyncio.gather(*(fetch(client, origin) for _ in range(5)))
        for one in answers:
            await read(one)
        assert client.pool.idle_count <= 2
        await until(lambda: origin.open == 0)
    assert client.pool.idle_count == 0
    assert client.pool._lines == {}


async def test_all_idle_connections_together_are_bounded() -> None:
    limits = PoolLimits(idle_total=3)
    async with client_of(limits=limits) as client, origin_server(answering(b"ok")) as origin:
        for number in range(8):
            await read(await client.send(f"tenant-{number}", endpoint_of(origin), get()))
        assert client.pool.idle_count == 3


async def test_an_idle_connection_that_has_ended_is_not_used() -> None:
    async def once(caller: Caller) -> None:
        await caller.request()
        await caller.answer(b"ok")

    async with client_of() as client, origin_server(once) as origin:
        for method in (b"GET", b"POST", b"POST"):
            await read(await fetch(client, origin, get(method=method)))
            await until(lambda: not any(one.is_usable for line in client.pool._lines.values() for one in line.idle))

        assert origin.connections == 3


async def test_a_connection_lives_for_a_while_only_however_busy() -> None:
    async with client_of(limits=PoolLimits(life_s=0.0)) as client, origin_server(answering(b"ok")) as origin:
        for _ in range(3):
            await read(await fetch(client, origin))

        assert origin.connections == 3


async def test_what_may_not_be_sent_twice_does_not_use_a_connection_that_was_idle_for_long() -> None:
    async with client_of(limits=PoolLimits(fresh_s=-1.0)) as client, origin_server(answering(b"ok")) as origin:
        for method in (b"GET", b"GET", b"POST", b"POST"):
            await read(await fetch(client, origin, get(method=method)))

        assert origin.connections == 3


async def test_answered_requests_leave_no_garbage_to_collect() -> None:
    async with client_of() as client, origin_server(answering(b"ok")) as origin:
        await read(await fetch(client, origin))
        with watched_garbage() as found:
            for _ in range(20):
                assert await read(await fetch(client, origin)) == b"ok"

    assert not found

"""Questions to all edges, over every broker: who answers, who is missed and when, and that no wait is long."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from fanoutcloud.broker import roll_call
from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.roll_call import LEASE_S, RollCall
from fanoutcloud.core.errors import Unavailable
from tests.contracts.brokers import PATIENCE_S, World
from tests.fakes.clock import SteppedClock
from tests.servers.redis import RedisServer


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis without other edges: the one that tests share may have a gateway of theirs in its roll."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server.url
    finally:
        server.kill()


class Edges:
    """Some edges that take part; each answers with its own name and what it was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = SteppedClock()
        self.running: dict[RollCall, asyncio.Task[None]] = {}
        self.mute: set[RollCall] = set()

    async def add(self) -> RollCall:
        """Return a new edge that all others know, and that knows them."""
        broker: Broker
        if self.world.is_single_process and self.world.opened:
            broker = self.world.opened[0]
        else:
            broker, _ = await self.world.open()

        def answer(question: bytes) -> bytes:
            if edge in self.mute:
                raise ValueError("broken")
            return edge.edge.encode() + b":" + question

        edge = RollCall(broker, self.clock, answer)
        self.running[edge] = asyncio.create_task(edge.run())
        await self.until(lambda: all(one.is_running for one in self.running))
        await self.until(lambda: all(len(one.present()) == len(self.running) for one in self.running))
        return edge

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - what it waits for happens in other edges and has no event
                await asyncio.sleep(0.005)

    async def kill(self, edge: RollCall) -> None:
        """End an edge without a word."""
        task = self.running.pop(edge)
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _edges(world: World, count: int) -> AsyncIterator[tuple[Edges, list[RollCall]]]:
    edges = Edges(world)
    try:
        yield edges, [await edges.add() for _ in range(count)]
    finally:
        for edge in list(edges.running):
            await edges.kill(edge)


async def test_every_edge_answers_and_the_answer_is_whole(world: World) -> None:
    async with _edges(world, 3) as (_, edges):
        answers = await edges[1].ask(b"?")

        assert answers.by_edge == {edge.edge: edge.edge.encode() + b":?" for edge in edges}
        assert answers.missing == ()


async def test_many_questions_at_once_each_get_their_own_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "QUIET_S", PATIENCE_S)  # it is about whose answers they are, not about time
    monkeypatch.setattr(roll_call, "MAX_WAIT_S", PATIENCE_S)
    async with _edges(world, 2) as (_, edges):
        questions = [b"%d" % number for number in range(50)]

        answers = await asyncio.gather(*(edges[number % 2].ask(one) for number, one in enumerate(questions)))

        for question, answer in zip(questions, answers, strict=True):
            assert sorted(answer.by_edge.values()) == sorted(edge.edge.encode() + b":" + question for edge in edges)


async def test_an_edge_that_does_not_answer_is_named_and_not_waited_for_long(world: World) -> None:
    async with _edges(world, 3) as (all_edges, edges):
        await all_edges.kill(edges[2])

        async with asyncio.timeout(roll_call.MAX_WAIT_S):
            answers = await edges[0].ask(b"?")

        assert set(answers.by_edge) == {edges[0].edge, edges[1].edge}
        assert answers.missing == (edges[2].edge,)


async def test_an_edge_that_was_killed_is_not_missed_once_its_lease_is_over(world: World) -> None:
    async with _edges(world, 2) as (all_edges, edges):
        await all_edges.kill(edges[1])
        all_edges.clock.pass_time(LEASE_S + 0.1)

        assert (await edges[0].ask(b"?")).missing == ()


async def test_an_edge_that_leaves_is_not_missed(world: World) -> None:
    async with _edges(world, 2) as (all_edges, edges):
        await edges[1].leave()
        await all_edges.until(lambda: edges[0].present() == [edges[0].edge])

        await all_edges.kill(edges[1])
        assert (await edges[0].ask(b"?")).missing == ()


async def test_an_edge_that_fails_on_a_question_is_missed_and_answers_the_next_one(world: World) -> None:
    async with _edges(world, 2) as (all_edges, edges):
        all_edges.mute.add(edges[1])
        assert (await edges[0].ask(b"?")).missing == (edges[1].edge,)

        all_edges.mute.clear()
        assert (await edges[0].ask(b"?")).missing == ()


async def test_a_question_can_be_over_with_the_first_answer_that_will_do(world: World) -> None:
    async with _edges(world, 3) as (all_edges, edges):
        all_edges.mute.add(edges[2])
        wanted = edges[1].edge.encode() + b":?"

        answers = await edges[0].ask(b"?", until=lambda content: content == wanted)

        assert wanted in answers.by_edge.values()
        assert answers.missing == ()


async def test_alone_one_asks_oneself(world: World) -> None:
    async with _edges(world, 1) as (_, [edge]):
        answers = await edge.ask(b"?")

    assert list(answers.by_edge) == [edge.edge]


async def test_too_many_questions_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "MAX_QUESTIONS", 2)
    async with _edges(world, 2) as (all_edges, edges):
        all_edges.mute.add(edges[1])

        outcomes = await asyncio.gather(*(edges[0].ask(b"?") for _ in range(3)), return_exceptions=True)

        assert [type(one) for one in outcomes].count(Unavailable) == 1

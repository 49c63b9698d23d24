"""What becomes of answers with instructions."""

from typing import Any

import pytest

from fanoutcloud.grip.exchange import OriginFailed
from tests.edge.worlds import until
from tests.grip.exchanges import Asked, FakeBody, HoldWorld, response


@pytest.fixture
async def world() -> Any:
    async with HoldWorld().running() as world:
        yield world


async def test_without_a_hold_the_answer_goes_out_without_grip_headers(world: HoldWorld):
    exchange = world.exchange()

    await world.holds.take_over(exchange, response("Grip-Status: 404 Not Here", "X-A: 1", "Content-Length: 4"), b"body")

    [answer] = exchange.answers
    assert (answer.status, answer.reason, answer.body) == (404, b"Not Here", b"body")
    assert answer.headers == [(b"X-A", b"1")]


async def test_a_document_without_a_hold_is_answered_at_once(world: HoldWorld):
    exchange = world.exchange()

    await world.holds.take_over(
        exchange, response("Content-Type: application/grip-instruct"), b'{"response":{"code":201,"body":"x"}}'
    )

    assert (exchange.answers[0].status, exchange.answers[0].body) == (201, b"x")


async def test_nonsense_is_the_origins_failure_and_its_owner_is_told(world: HoldWorld):
    exchange = world.exchange()

    with pytest.raises(OriginFailed):
        await world.holds.take_over(exchange, response("Grip-Hold: x"), b"")

    assert exchange.failures[0][2] == "Grip-Hold"
    assert not exchange.answers


async def test_a_request_too_large_to_be_repeated_can_not_be_held(world: HoldWorld):
    exchange = world.exchange()
    exchange.body = None

    await world.holds.take_over(exchange, response("Grip-Hold: stream"), b"")

    assert (exchange.answers[0].status, exchange.answers[0].body) == (
        400,
        b"Request too large to accept GRIP instruct.\n",
    )


@pytest.mark.parametrize(
    "lines", [["Grip-Hold: response"], ["Grip-Status: 200"], ["Grip-Hold: stream", "Grip-Channel: a; filter=build-id"]]
)
async def test_a_long_body_that_must_be_read_is_refused(world: HoldWorld, lines: list[str]):
    exchange = world.exchange()

    with pytest.raises(OriginFailed, match="too long"):
        await world.holds.take_over(exchange, response(*lines), None)


async def test_a_long_body_of_a_stream_is_passed_on(world: HoldWorld):
    exchange = world.exchange()
    first = response("Grip-Hold: stream", "Grip-Channel: a")
    first.body = FakeBody(b"x" * 60_000, b"y" * 60_000)
    exchange.scope["extensions"] = {}
    async with world.held(exchange, first, is_long=True) as offer:
        written = offer.written

    assert written.count(b"x") == written.count(b"y") == 60_000


async def test_filters_of_the_response_work_without_a_hold(world: HoldWorld):
    exchange = world.exchange()

    await world.holds.take_over(exchange, response("Grip-Channel: a; filter=build-id"), b"%(1)I 5%%")
    with pytest.raises(OriginFailed):
        await world.holds.take_over(exchange, response("Grip-Channel: a; filter=build-id"), b"%I")

    assert exchange.answers[0].body == b"1 5%"
    assert exchange.failures[0][2] == "build-id"


async def test_the_gone_link_of_an_answer_at_once_is_posted(world: HoldWorld):
    exchange = world.exchange()

    await world.holds.take_over(exchange, response("Grip-Link: </bye>; rel=gone"), b"")
    await until(lambda: bool(exchange.asked))

    assert exchange.asked == [Asked("http://app.example.com/bye", {}, b"POST")]

"""Stream holds: content, keep-alives, links and recovery."""

from typing import Any

import pytest

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.items import HttpStream
from fanoutcloud.grip.exchange import OriginFailed
from fanoutcloud.grip.stream_holds import SharedStreamHold
from tests.edge.worlds import until
from tests.grip.exchanges import URL, Asked, FakeExchange, FakeOffer, HoldWorld, response

FRUIT = ("Content-Type: text/plain", "Grip-Hold: stream", "Grip-Channel: fruit")
NEXT = "Grip-Link: </fruit/?after=3>; rel=next"
NEXT_URL = "http://app.example.com/fruit/?after=3"


@pytest.fixture
async def world() -> Any:
    async with HoldWorld().running() as world:
        yield world


def content(text: str, **members: Any) -> HttpStream:
    return HttpStream(text.encode(), **members)


def chunks(*texts: str) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(text.encode()), text.encode()) for text in texts)


def is_over(exchange: FakeExchange, offer: FakeOffer) -> bool:
    return exchange.is_ended or (offer.sink is not None and offer.sink.closed is not None)


async def test_head_and_content_go_out_at_once(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, response(*FRUIT, "Content-Length: 5", body=b"apple")) as offer:
        assert offer.head == (b"200 OK", [(b"Content-Type", b"text/plain")])
        assert offer.written == chunks("apple")


async def test_items_are_written_verbatim_one_chunk_each(world: HoldWorld):
    async with world.held(world.exchange(), response(*FRUIT)) as offer:
        await world.publish_to("fruit", http_stream=content("a"))
        await world.publish_to("fruit", json_object=b"1")
        await world.publish_to("fruit", http_stream=content("b\n\x00é"))

        assert offer.written == chunks("a", "b\n\x00é")
        assert [type(hold) for hold in world.hub.subscribers] == [SharedStreamHold]


async def test_another_server_is_sent_the_same_without_chunks(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, response(*FRUIT, body=b"apple"), is_prepared=False):
        await world.publish_to("fruit", http_stream=content("a"))
        await until(lambda: exchange.streamed == b"applea")
        await world.publish_to("fruit", http_stream=HttpStream(action="close"))
        await until(lambda: exchange.is_ended)

    assert exchange.sent[0] == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"Content-Type", b"text/plain")],
    }


@pytest.mark.parametrize("more", [(), (NEXT,)])
async def test_a_close_ends_the_response_and_nothing_follows(world: HoldWorld, more: tuple[str, ...]):
    async with world.held(world.exchange(), response(*FRUIT, *more)) as offer:
        await world.publish_to("fruit", http_stream=HttpStream(b"ignored", action="close"))
        await world.publish_to("fruit", http_stream=content("late"))

        assert offer.sink is not None
        assert (offer.sink.closed, offer.written, offer.sink.late) == ((1000, ""), b"", [])


async def test_a_status_of_its_own(world: HoldWorld):
    async with world.held(world.exchange(), response(*FRUIT, "Grip-Status: 203 So So")) as offer:
        assert offer.head is not None
        assert offer.head[0] == b"203 So So"


async def test_content_filters_must_be_those_of_the_subscription(world: HoldWorld):
    async with world.held(world.exchange(), response(*FRUIT)) as plain:
        await world.publish_to("fruit", http_stream=content("%(1)I", content_filters=("build-id",)))
        await world.publish_to("fruit", http_stream=content("b", content_filters=()))

        assert plain.written == chunks("b")


async def test_filters_run_for_each_connection(world: HoldWorld):
    lines = ("Grip-Hold: stream", "Grip-Channel: fruit; filter=skip-self; filter=var-subst")
    async with (
        world.held(world.exchange(), response(*lines, "Grip-Set-Meta: user=alice")) as alice,
        world.held(world.exchange(), response(*lines, "Grip-Set-Meta: user=bob")) as bob,
    ):
        await world.publish_to("fruit", meta={"sender": "bob"}, http_stream=content("%(user)s 5%%"))

        assert (alice.written, bob.written) == (chunks("alice 5%"), b"")


# -- keep-alives


async def test_a_keep_alive_is_sent_to_an_idle_stream_only(world: HoldWorld):
    lines = (*FRUIT, r"Grip-Keep-Alive: \n; format=cstring; timeout=20")
    async with world.held(world.exchange(), response(*lines)) as offer:
        world.clock.pass_time(18.5)
        await world.publish_to("fruit", http_stream=content("a"))
        world.wheel.tick()
        world.clock.pass_time(2)
        world.wheel.tick()
        assert offer.written == chunks("a")

        world.clock.pass_time(18.5)
        world.wheel.tick()
        assert offer.written == chunks("a", "\n")


async def test_an_interval_goes_on_whatever_is_sent(world: HoldWorld):
    lines = (*FRUIT, NEXT, "Grip-Keep-Alive: k; timeout=20; mode=interval")
    async with world.held(world.exchange(), response(*lines)) as offer:
        for _ in range(2):
            world.clock.pass_time(10)
            await world.publish_to("fruit", http_stream=content("a"))
            world.wheel.tick()
            world.clock.pass_time(10.3)
            world.wheel.tick()

        assert offer.written == chunks("a", "k", "a", "k")


async def test_a_stream_that_ended_gets_no_keep_alive(world: HoldWorld):
    async with world.held(world.exchange(), response(*FRUIT, "Grip-Keep-Alive: k; timeout=20")) as offer:
        next(iter(world.hub.subscribers)).close(CloseReason.DRAINING)
        world.clock.pass_time(30)
        world.wheel.tick()

        assert offer.sink is not None
        assert offer.sink.late == []


# -- links


async def test_without_a_hold_links_are_followed_to_the_end(world: HoldWorld):
    exchange = world.exchange(
        response("X-B: 2", "Grip-Link: <two>; rel=next", body=b"1", status=206), response(body=b"2")
    )
    async with world.held(exchange, response("X-A: 1", "Grip-Link: <one>; rel=next", body=b"0")) as offer:
        await until(lambda: is_over(exchange, offer))

    assert offer.head == (b"200 OK", [(b"X-A", b"1")])
    assert offer.written == chunks("0", "1", "2")
    assert [asked.url for asked in exchange.asked] == [f"{URL}one", f"{URL}two"]


async def test_a_link_may_begin_a_hold(world: HoldWorld):
    exchange = world.exchange(response(*FRUIT, body=b"1"))
    async with world.held(exchange, response("Grip-Link: <one>; rel=next", body=b"0")) as offer:
        await world.publish_to("fruit", http_stream=content("a"))

        assert offer.written == chunks("0", "1", "a")


async def test_a_hint_fetches_the_link_and_adopts_what_it_tells(world: HoldWorld):
    exchange = world.exchange(response("Grip-Hold: stream", "Grip-Channel: nuts", body=b"nut"))
    async with world.held(exchange, response(*FRUIT, NEXT)) as offer:
        await world.publish_to("fruit", http_stream=HttpStream(action="hint"))
        await until(lambda: world.subscribed == ["nuts"] and world.is_settled)
        await world.publish_to("fruit", http_stream=content("old"))
        await world.publish_to("nuts", http_stream=content("new"))

        assert offer.written == chunks("nut", "new")
        assert exchange.asked == [Asked(NEXT_URL, {})]


async def test_a_quiet_link_is_fetched_when_its_time_has_come(world: HoldWorld):
    exchange = world.exchange(response(*FRUIT, body=b"x"))
    async with world.held(exchange, response(*FRUIT, f"{NEXT}; timeout=30")) as offer:
        world.clock.pass_time(20)
        await world.publish_to("fruit", http_stream=content("a"))
        world.clock.pass_time(11)
        world.wheel.tick()
        assert not exchange.asked

        world.clock.pass_time(31)
        world.wheel.tick()
        await until(lambda: offer.written == chunks("a", "x"))


async def test_fetches_of_one_link_are_shared(world: HoldWorld):
    exchanges = [world.exchange(response(*FRUIT, body=b"n")) for _ in range(3)]
    first = (*FRUIT, NEXT)
    async with (
        world.held(exchanges[0], response(*first)) as one,
        world.held(exchanges[1], response(*first)) as two,
        world.held(exchanges[2], response(*first)) as three,
    ):
        await world.publish_to("fruit", http_stream=HttpStream(action="hint"))
        await until(lambda: all(offer.written == chunks("n") for offer in (one, two, three)))

    assert sum(len(exchange.asked) for exchange in exchanges) == 1


async def test_a_link_that_fails_is_tried_again_and_then_ends_the_stream(
    world: HoldWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fanoutcloud.grip.stream_holds.RETRY_DELAYS_S", (0.0, 0.0))
    monkeypatch.setattr("random.random", lambda: 0.0)
    monkeypatch.setattr("fanoutcloud.grip.asking.LINK_PERIOD_S", 0.0)
    failures = [OriginFailed("no", cause="x"), response(status=404), OriginFailed("no", cause="x")]
    exchange = world.exchange(*failures)
    async with world.held(exchange, response(*FRUIT, NEXT)) as offer:
        await world.publish_to("fruit", http_stream=HttpStream(action="hint"))
        await until(lambda: is_over(exchange, offer))

    assert len(exchange.asked) == 3


async def test_a_link_answered_with_a_response_hold_ends_the_stream(world: HoldWorld):
    exchange = world.exchange(response("Grip-Hold: response", body=b"x"), domain=Domain(is_debug=True))
    async with world.held(exchange, response(*FRUIT, NEXT)) as offer:
        await world.publish_to("fruit", http_stream=HttpStream(action="hint"))
        await until(lambda: is_over(exchange, offer))

    assert b"Grip-Hold: a link was answered with a response hold" in offer.written


# -- prev-id


async def test_a_prev_id_without_a_link_ends_the_stream_after_its_content(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, response("Grip-Hold: stream", "Grip-Channel: a; prev-id=3", body=b"x")) as offer:
        await until(lambda: is_over(exchange, offer))

    assert offer.written == chunks("x")
    assert exchange.failures[0][2] == "Grip-Channel"


def positioned(prev_id: str, after: str, body: bytes) -> Any:
    link = f"Grip-Link: </fruit/?after={after}>; rel=next"
    return response("Grip-Hold: stream", f"Grip-Channel: fruit; prev-id={prev_id}", link, body=body)


async def test_a_lost_item_is_had_from_the_link(world: HoldWorld):
    exchange = world.exchange(positioned("5", "5", b"date\ndate\n"))
    async with world.held(exchange, positioned("3", "3", b"apple\n")) as offer:
        await world.publish_to("fruit", id="5", prev_id="4", http_stream=content("lost\n"))
        await until(lambda: world.is_settled and bool(exchange.asked))
        await world.publish_to("fruit", id="6", prev_id="5", http_stream=content("fig\n"))

        assert offer.written == chunks("apple\n", "date\ndate\n", "fig\n")
        assert exchange.asked == [Asked(NEXT_URL, {"fruit": "3"})]


async def test_what_was_published_between_answer_and_hold_is_had_from_the_link(world: HoldWorld):
    await world.publish_to("fruit", id="4", prev_id="3", http_stream=content("four"))
    exchange = world.exchange(positioned("4", "4", b"four"))
    async with world.held(exchange, positioned("3", "3", b"")) as offer:
        assert offer.written == chunks("four")


async def test_items_that_come_while_the_link_is_read_follow_from_its_position(world: HoldWorld):
    async def publish_meanwhile() -> Any:
        for number in (5, 6):
            await world.publish_to("fruit", id=str(number), prev_id=str(number - 1), http_stream=content(f"{number}."))
        return positioned("5", "5", b"4.5.")

    exchange = world.exchange(publish_meanwhile)
    async with world.held(exchange, positioned("3", "3", b"")) as offer:
        await world.publish_to("fruit", http_stream=HttpStream(action="hint"))
        await until(lambda: world.is_settled and bool(exchange.asked))

        assert offer.written == chunks("4.5.", "6.")


async def test_build_id_writes_the_position_behind_the_item(world: HoldWorld):
    lines = (
        "Grip-Hold: stream",
        "Grip-Channel: a; prev-id=1; filter=build-id, b; prev-id=2; filter=build-id",
        'Grip-Set-Meta: id_format="%(a)s-%(b)s"',
        NEXT,
    )
    async with world.held(world.exchange(), response(*lines, body=b"id: %(1-2)I\n")) as offer:
        await world.publish_to("a", id="3", prev_id="1", http_stream=content("id: %I\n", content_filters=("build-id",)))

        assert offer.written == chunks("id: 1-2\n", "id: 3-2\n")


# -- ends


async def test_the_gone_link_is_posted_once(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, response(*FRUIT, "Grip-Link: </bye>; rel=gone")):
        [hold] = world.hub.subscribers
        hold.on_lost()
        hold.on_lost()
        await until(lambda: bool(exchange.asked))

    assert exchange.asked == [Asked("http://app.example.com/bye", {}, b"POST")]


async def test_a_client_of_another_server_that_leaves_is_forgotten(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, response(*FRUIT), is_prepared=False):
        [hold] = world.hub.subscribers
        exchange.left.set()
        await until(lambda: not world.hub.subscribers)

        assert hold.is_closed
        assert all(local.is_empty for local in world.hub.channels.values())


async def test_head_requests_are_answered_and_not_held(world: HoldWorld):
    exchange = world.exchange(method=b"HEAD")

    await world.holds.take_over(exchange, response(*FRUIT), b"")

    assert exchange.answers[0].status == 200
    assert not world.hub.subscribers

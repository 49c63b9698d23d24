"""Response holds: one item, time, or the origin answers; on our own server and on another one."""

import asyncio
from typing import Any

import pytest

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.items import HttpResponse
from fanoutcloud.grip.exchange import OriginFailed
from tests.edge.worlds import until
from tests.grip.exchanges import Asked, FakeExchange, FakeOffer, HoldWorld, response

HOLD = ("Content-Type: text/plain", "X-App: 1", "Grip-Hold: response", "Grip-Channel: jobs", "Grip-Timeout: 20")


def hold(*more: str, body: bytes = b"[]\n") -> Any:
    return response(*HOLD, *more, body=body)


def answer_of(exchange: FakeExchange, offer: FakeOffer) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers of what the client got, whoever serves it."""
    if exchange.answers:
        [answer] = exchange.answers
        headers = {name.decode(): value.decode() for name, value in answer.headers}
        return answer.status, answer.body, headers
    head, _, body = offer.transport.written.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return int(line.split()[1]), body, dict(field.split(": ", 1) for field in fields)


async def answered(exchange: FakeExchange, offer: FakeOffer) -> tuple[int, bytes, dict[str, str]]:
    await until(lambda: bool(exchange.answers or offer.transport.written))
    return answer_of(exchange, offer)


@pytest.fixture
async def world() -> Any:
    async with HoldWorld().running() as world:
        yield world


kinds = pytest.mark.parametrize("is_prepared", [True, False])


@kinds
async def test_an_item_answers_the_request(world: HoldWorld, is_prepared: bool):
    exchange = world.exchange()
    async with world.held(exchange, hold(), is_prepared=is_prepared) as offer:
        await world.publish_to(
            "jobs", http_response=HttpResponse(201, body=b"[7]", headers=(("x-app", "2"), ("A", "b")))
        )

        status, body, headers = await answered(exchange, offer)

    headers.pop("Content-Length", None)
    assert (status, body, headers) == (201, b"[7]", {"Content-Type": "text/plain", "x-app": "2", "A": "b"})
    await until(lambda: not world.hub.subscribers)


async def test_the_bytes_of_the_answer(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, hold("Content-Length: 3")) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(201, body=b"[7]"))
        await answered(exchange, offer)

    assert offer.transport.written == (
        b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nX-App: 1\r\nContent-Length: 3\r\n\r\n[7]"
    )
    assert offer.early == [b""]
    assert offer.transport.closed_by is None


async def test_a_client_that_closes_is_told_so(world: HoldWorld):
    exchange = world.exchange()
    offer_closes = FakeOffer(keeps_alive=False)
    async with world.held(exchange, hold()) as offer:
        offer.poll._begin_http = None  # type: ignore[union-attr]
        await world.publish_to("jobs", http_response=HttpResponse(body=b"x"))
        await answered(exchange, offer)

    assert b"Connection: close\r\n" in offer.transport.written
    assert not offer_closes.keeps_alive


async def test_time_sends_the_origins_own_answer(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, hold("Grip-Status: 304")) as offer:
        assert offer.poll is not None
        assert offer.poll.stop_timer() == pytest.approx(20, abs=1)
        offer.poll.restart_timer(0)

        status, _, headers = await answered(exchange, offer)

    assert (status, headers) == (304, {"Content-Type": "text/plain", "X-App": "1"})


async def test_many_that_hold_the_same_share_the_bytes(world: HoldWorld):
    exchanges = [world.exchange() for _ in range(3)]
    async with (
        world.held(exchanges[0], hold()) as one,
        world.held(exchanges[1], hold()) as two,
        world.held(exchanges[2], hold(body=b"other")) as three,
    ):
        shared = {id(subscriber._shared) for subscriber in world.hub.subscribers}  # type: ignore[attr-defined]
        await world.publish_to("jobs", http_response=HttpResponse(body=b"x"))
        await until(lambda: all(offer.transport.written for offer in (one, two, three)))

    assert len(shared) == 2
    assert one.transport.written == two.transport.written == three.transport.written


@kinds
async def test_the_first_of_several_items_answers(world: HoldWorld, is_prepared: bool):
    exchange = world.exchange()
    async with world.held(exchange, hold(), is_prepared=is_prepared) as offer:
        for body in (b"1", b"2"):
            await world.publish_to("jobs", http_response=HttpResponse(body=body))

        assert (await answered(exchange, offer))[1] == b"1"


@pytest.mark.parametrize(
    "members",
    [
        {"json_object": b"1"},
        {"http_response": HttpResponse(action="close")},
        {"http_response": HttpResponse(action="refresh")},
        {"http_response": HttpResponse(body=b"x", content_filters=("var-subst",))},
    ],
)
async def test_what_is_no_answer_is_passed_over(world: HoldWorld, members: Any):
    exchange = world.exchange()
    async with world.held(exchange, hold()) as offer:
        await world.publish_to("jobs", **members)
        await world.publish_to("jobs", http_response=HttpResponse(body=b"y"))

        assert (await answered(exchange, offer))[1] == b"y"


async def test_a_patch_is_applied_to_the_held_body(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, hold()) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(body_patch=b'[{"op":"add","path":"/-","value":7}]'))

        assert (await answered(exchange, offer))[1] == b"[7]\n"


@kinds
async def test_a_hint_asks_the_origin_again(world: HoldWorld, is_prepared: bool):
    exchange = world.exchange(response(body=b"news"))
    async with world.held(exchange, hold(), is_prepared=is_prepared) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(action="hint"))

        status, body, _ = await answered(exchange, offer)

    assert (status, body, exchange.asked) == (200, b"news", [Asked("", {})])


@kinds
async def test_an_origin_that_holds_again_is_obeyed(world: HoldWorld, is_prepared: bool):
    again = response("Grip-Hold: response", "Grip-Channel: other", "Grip-Timeout: 33", body=b"later")
    exchange = world.exchange(again)
    async with world.held(exchange, hold(), is_prepared=is_prepared) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(action="hint"))
        await until(lambda: world.subscribed == ["other"] and world.is_settled)
        await world.publish_to("jobs", http_response=HttpResponse(body=b"old"))
        await world.publish_to("other", http_response=HttpResponse(body=b"new"))

        assert (await answered(exchange, offer))[1] == b"new"


async def test_an_item_that_comes_while_the_origin_is_asked_is_delivered(world: HoldWorld):
    async def publish_meanwhile() -> Any:
        await world.publish_to("jobs", http_response=HttpResponse(body=b"meanwhile"))
        return hold()

    exchange = world.exchange(publish_meanwhile)
    async with world.held(exchange, hold()) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(action="hint"))

        assert (await answered(exchange, offer))[1] == b"meanwhile"


@kinds
async def test_an_origin_that_fails_when_asked_again_is_502(world: HoldWorld, is_prepared: bool):
    exchange = world.exchange(OriginFailed("it refuses", cause="connect_refused"))
    async with world.held(exchange, hold(), is_prepared=is_prepared) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(action="hint"))

        status, body, _ = await answered(exchange, offer)

    assert (status, body) == (502, b"Error while proxying to origin.\n")


async def test_an_origin_that_tells_nonsense_when_asked_again_is_502(world: HoldWorld):
    exchange = world.exchange(response("Grip-Hold: forever"), domain=Domain(is_debug=True))
    async with world.held(exchange, hold()) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(action="hint"))

        status, body, _ = await answered(exchange, offer)

    assert (status, body) == (502, b"Grip-Hold: is 'forever'; use 'response' or 'stream'\n")
    assert exchange.failures == [
        ("Grip-Hold: is 'forever'; use 'response' or 'stream'", "bad_instruction", "Grip-Hold")
    ]


async def test_an_origin_that_changes_its_mind_streams(world: HoldWorld):
    exchange = world.exchange(response("Grip-Hold: stream", "Grip-Channel: s", body=b"begin"))
    async with world.held(exchange, hold()) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(action="hint"))
        await until(lambda: world.subscribed == ["s"])

    assert offer.transport.written == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n"


# -- prev-id


async def test_an_item_published_before_the_hold_is_not_lost(world: HoldWorld):
    await world.publish_to("jobs", id="4", prev_id="3", http_response=HttpResponse(body=b"four"))
    exchange = world.exchange(response(body=b"four by origin"))
    first = response("Grip-Hold: response", "Grip-Channel: jobs; prev-id=3")

    await world.holds.take_over(exchange, first, b"")

    assert exchange.asked == [Asked("", {"jobs": "3"})]
    assert exchange.answers[0].body == b"four by origin"


async def test_an_origin_that_insists_on_a_position_is_believed(world: HoldWorld):
    await world.publish_to("jobs", id="9", http_response=HttpResponse(body=b"nine"))
    again = response("Grip-Hold: response", "Grip-Channel: jobs; prev-id=3")
    exchange = world.exchange(again)
    async with world.held(exchange, response("Grip-Hold: response", "Grip-Channel: jobs; prev-id=3")) as offer:
        assert len(exchange.asked) == 1
        await world.publish_to("jobs", id="4", prev_id="3", no_seq=True, http_response=HttpResponse(body=b"four"))

        assert (await answered(exchange, offer))[1] == b"four"


async def test_an_item_that_follows_is_delivered_and_a_gap_asks_the_origin(world: HoldWorld):
    exchange = world.exchange(response(body=b"by origin"))
    async with world.held(exchange, response("Grip-Hold: response", "Grip-Channel: jobs; prev-id=3")) as offer:
        await world.publish_to("jobs", id="5", prev_id="4", http_response=HttpResponse(body=b"five"))

        assert (await answered(exchange, offer))[1] == b"by origin"

    assert exchange.asked == [Asked("", {"jobs": "3"})]


async def test_a_filtered_item_moves_the_position_on(world: HoldWorld):
    first = response("Grip-Hold: response", "Grip-Channel: jobs; prev-id=3; filter=skip-self", "Grip-Set-Meta: user=a")
    exchange = world.exchange()
    async with world.held(exchange, first) as offer:
        await world.publish_to("jobs", id="4", prev_id="3", meta={"sender": "a"}, http_response=HttpResponse(body=b"4"))
        await world.publish_to("jobs", id="5", prev_id="4", http_response=HttpResponse(body=b"5"))

        assert (await answered(exchange, offer))[1] == b"5"

    assert exchange.asked == []


async def test_content_filters_work_on_published_bodies(world: HoldWorld):
    first = response("Grip-Hold: response", "Grip-Channel: jobs; filter=var-subst", "Grip-Set-Meta: user=alice")
    exchange = world.exchange()
    async with world.held(exchange, first) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(body=b"bye %(nobody)s"))
        await world.publish_to("jobs", http_response=HttpResponse(body=b"hi %(user)s", content_filters=("var-subst",)))

        assert (await answered(exchange, offer))[1] == b"hi alice"

    assert exchange.failures[0][1:] == ("filter_fault", "var-subst")


# -- ends


@kinds
async def test_a_client_that_leaves_is_forgotten_and_its_gone_link_posted(world: HoldWorld, is_prepared: bool):
    exchange = world.exchange()
    async with world.held(exchange, hold("Grip-Link: </bye>; rel=gone"), is_prepared=is_prepared) as offer:
        exchange.left.set()
        if offer.poll is not None:
            offer.poll.connection_lost(None)
        await until(lambda: not world.hub.subscribers and bool(exchange.asked))

    assert exchange.asked == [Asked("http://app.example.com/bye", {}, b"POST")]
    assert not exchange.answers


async def test_a_draining_process_answers_at_once(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, hold()) as offer:
        for subscriber in list(world.hub.subscribers):
            subscriber.close(CloseReason.DRAINING)
        status, body, headers = await answered(exchange, offer)

    assert (status, body, headers["Connection"]) == (200, b"[]\n", "close")


async def test_a_head_request_gets_no_body(world: HoldWorld):
    exchange = world.exchange(method=b"HEAD")
    async with world.held(exchange, hold()) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(body=b"four"))
        _, body, headers = await answered(exchange, offer)

    assert (body, headers["Content-Length"]) == (b"", "4")


async def test_answers_are_dressed_where_the_domain_says_so(world: HoldWorld):
    exchange = world.exchange(domain=Domain(cross_origin="auto"))
    async with world.held(exchange, hold()) as offer:
        await world.publish_to("jobs", http_response=HttpResponse(body=b"x"))

        assert (await answered(exchange, offer))[2]["X-Dressed"] == "1"


async def test_a_hold_without_a_channel_waits_for_time(world: HoldWorld):
    exchange = world.exchange()
    async with world.held(exchange, response("Grip-Hold: response", body=b"x")) as offer:
        await asyncio.sleep(0)
        assert not offer.transport.written

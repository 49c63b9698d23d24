"""The flight recorder: in order, in bounds, of realms that exist."""

import msgspec
import pytest

from fanoutcloud.core import flight
from fanoutcloud.core.errors import Unauthorized
from fanoutcloud.core.flight import FlightRecorder, Refusal, format_names
from fanoutcloud.core.items import HttpStream, Item, WsMessage
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from tests.fakes.clock import SteppedClock

ALICES, BOBS = RealmId("0a1b2c3d"), RealmId("ffffffff")
NEWS = ChannelName("news")


@pytest.fixture
def recorder() -> FlightRecorder:
    return FlightRecorder(SteppedClock())


def see(recorder: FlightRecorder, offset: int, realm: RealmId = ALICES) -> None:
    recorder.seen(realm, StoredItem(StreamPosition("k3v9q1zt", offset), Item(NEWS, id=str(offset))))


def refuse(recorder: FlightRecorder, *, address: str = "192.0.2.1", realm: RealmId = ALICES) -> None:
    recorder.refused(realm, Unauthorized("wrong_key", "no", cure="copy it"), side="publish", address=address)


def test_an_item_is_noted_with_what_decides_who_gets_it(recorder: FlightRecorder) -> None:
    item = Item(NEWS, id="7", http_stream=HttpStream(b"x"), ws_message=WsMessage(b"y"), tags={"hot": True}, user="42")
    recorder.seen(ALICES, StoredItem(StreamPosition("k3v9q1zt", 3), item))

    log = recorder.find(ALICES)
    assert log is not None
    [seen] = log.items_since(0)
    assert (seen.position, seen.id, seen.tags, seen.user) == ("k3v9q1zt:3", "7", {"hot": True}, "42")
    assert format_names(seen.formats) == ["http-stream", "ws-message"]


def test_numbers_order_all_that_happens(recorder: FlightRecorder) -> None:
    recorder.moment(ALICES, "joined", "c1", "sse", "", "", channel="news")
    see(recorder, 1)

    log = recorder.find(ALICES)
    assert log is not None
    assert next(iter(log.moments)).number < next(iter(log.items))[0]


@pytest.mark.parametrize(("channel", "shown"), [(None, ""), ("news", "news")])
def test_a_refusal_can_be_sent_whether_its_error_names_a_channel_or_not(
    recorder: FlightRecorder, channel: str | None, shown: str
) -> None:
    error = Unauthorized("wrong_key", "no", cure="copy it")
    error.channel = channel
    recorder.refused(ALICES, error, side="subscribe", address="192.0.2.1")

    log = recorder.find(ALICES)
    assert log is not None
    [refusal] = msgspec.msgpack.decode(msgspec.msgpack.encode(list(log.refusals.values())), type=list[Refusal])
    assert (refusal.code, refusal.channel, refusal.user, refusal.key) == ("wrong_key", shown, "", "")


def test_the_newest_items_are_exact_and_of_older_ones_a_sample_stays(
    recorder: FlightRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "MAX_ITEMS", 10)
    monkeypatch.setattr(flight, "SAMPLE_EVERY", 5)
    for offset in range(1, 31):
        see(recorder, offset)

    log = recorder.find(ALICES)
    assert log is not None
    assert [one[2].position.offset for one in log.items] == list(range(21, 31))
    assert [one[2].position.offset for one in log.sampled] == [5, 10, 15, 20, 25, 30]
    assert [one.offset for one in log.items_since(0)] == [5, 10, 15, 20, *range(21, 31)]


def test_the_same_refusal_again_is_counted(recorder: FlightRecorder) -> None:
    for _ in range(3):
        refuse(recorder)
    refuse(recorder, address="192.0.2.2")

    log = recorder.find(ALICES)
    assert log is not None
    assert [(one.address, one.count) for one in log.refusals.values()] == [("192.0.2.1", 3), ("192.0.2.2", 1)]


def test_a_flood_of_refusals_stays_in_bounds(recorder: FlightRecorder) -> None:
    for number in range(flight.MAX_REFUSALS + 50):
        refuse(recorder, address=str(number))

    log = recorder.find(ALICES)
    assert log is not None
    assert len(log.refusals) == flight.MAX_REFUSALS


def test_made_up_realms_take_little_room_and_real_ones_are_found_later() -> None:
    recorder = FlightRecorder(SteppedClock(), knows=lambda realm: False)
    for number in range(1000):
        refuse(recorder, realm=RealmId(f"{number:08x}"))
    refuse(recorder)

    assert len(recorder._strangers) == flight.MAX_STRANGERS
    log = recorder.find(ALICES)
    assert log is not None
    assert len(log.refusals) == 1
    assert recorder.find(RealmId("00000001")) is None


def test_when_there_is_too_much_the_quietest_realm_is_forgotten(
    recorder: FlightRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight, "MAX_RECORDS", 20)
    see(recorder, 1, BOBS)
    for offset in range(1, 21):
        see(recorder, offset)

    assert recorder.find(BOBS) is None
    assert recorder.find(ALICES) is not None


def test_a_deleted_realm_is_forgotten(recorder: FlightRecorder) -> None:
    see(recorder, 1)

    recorder.forget(ALICES)

    assert recorder.find(ALICES) is None


def test_of_large_items_the_content_is_not_kept(recorder: FlightRecorder) -> None:
    item = Item(NEWS, id="7", json_object=b"x" * 10_000, http_stream=HttpStream(b"y" * 10_000))
    recorder.seen(ALICES, StoredItem(StreamPosition("k3v9q1zt", 1), item))
    recorder.published(ALICES, [(item, None, "waiting")], via="rest", key="")

    log = recorder.find(ALICES)
    assert log is not None
    assert [one[2].item.size_bytes for one in log.items] == [0]
    assert format_names(log.items_since(0)[0].formats) == ["json-object", "http-stream"]
    assert [(one.size_bytes, one.position) for one in log.published_since(0)] == [(20_000, "")]


def test_alike_refusals_keep_the_newest_ids_that_they_named(recorder: FlightRecorder) -> None:
    for number in range(30):
        error = Unauthorized("wrong_key", "no", cure="copy it")
        error.item_ids = (f"id-{number}",)
        recorder.refused(ALICES, error, side="publish", address="192.0.2.1")
    refuse(recorder)

    log = recorder.find(ALICES)
    assert log is not None
    [refusal] = log.refusals.values()
    assert refusal.count == 31
    assert refusal.ids == tuple(f"id-{number}" for number in reversed(range(10, 30)))

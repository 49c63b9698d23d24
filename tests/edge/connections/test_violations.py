"""Clients that break the protocol are logged once each, within bounds."""

from dataclasses import dataclass

import pytest

from fanoutcloud.edge.connections.violations import MAX_ADDRESSES, SILENCE_S, ViolationLog
from tests.fakes.clock import SteppedClock


@dataclass
class Client:
    address: str
    realm: str = "0a1b2c3d"
    connection: str = "c1"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def log(clock: SteppedClock) -> ViolationLog:
    return ViolationLog(clock)


def test_a_violation_is_one_event_that_says_who_and_why(log: ViolationLog, caplog: pytest.LogCaptureFixture) -> None:
    log.note(Client("192.0.2.1"), 1007, "the message is not UTF-8")

    (record,) = caplog.records
    fields = vars(record)
    assert record.getMessage() == "websocket_violation"
    assert (fields["address"], fields["code"], fields["why"]) == ("192.0.2.1", 1007, "the message is not UTF-8")
    assert record.exc_info is None


def test_the_same_client_is_named_again_after_a_while_only(
    log: ViolationLog, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        log.note(Client("192.0.2.1"), 1002, "")
    assert len(caplog.records) == 1

    clock.pass_time(SILENCE_S)
    log.note(Client("192.0.2.1"), 1002, "")

    assert len(caplog.records) == 2


def test_many_clients_together_write_a_bounded_number_of_lines(
    log: ViolationLog, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2 * MAX_ADDRESSES):
        log.note(Client(f"client-{number}"), 1002, "")
    assert len(caplog.records) == MAX_ADDRESSES

    clock.pass_time(SILENCE_S)
    log.note(Client("another"), 1002, "")

    assert len(caplog.records) == MAX_ADDRESSES + 1

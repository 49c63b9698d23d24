"""The figures of a run."""

from tests.prove.log import Acknowledged, Attempted, Began, Event, Harmed, Place, Received, Subscribed
from tests.prove.report import find_longest_outage, measure


def test_delays_are_counted_from_the_first_attempt_and_from_the_acknowledgement() -> None:
    place = Place("aaaaaaaa", 1)
    events: list[Event] = [
        Began(0.0, "ann", "sse", "edge.1", {}),
        Subscribed(0.0, "ann", "door", Place("aaaaaaaa", 0), recovered=False),
        Attempted(1.0, "w/1", "door", "w", 1),
        Attempted(3.0, "w/1", "door", "w", 1),
        Acknowledged(4.0, "w/1"),
        Received(4.5, "ann", "door", place, "w/1", "w/1"),
    ]

    figures = measure(events)

    assert (figures.published, figures.acknowledged, figures.attempts, figures.received) == (1, 1, 2, 1)
    assert figures.acknowledged_after_s == [3.0]
    assert figures.received_after_s == [0.5]
    assert figures.received_by_transport == {"sse": 1}


def test_an_outage_is_when_no_door_answers() -> None:
    def harm(at: float, process: str, what: str) -> Event:
        return Harmed(at, process, what)

    events = [
        harm(0.0, "edge.1", "ready"),
        harm(0.0, "web", "ready"),
        harm(1.0, "edge.1", "killed"),
        harm(1.5, "redis", "ready"),
        harm(2.0, "web", "stopped"),
        harm(3.0, "edge.1", "stopped"),
        harm(3.5, "edge.1", "continued"),
        harm(4.5, "web", "continued"),
        harm(5.0, "web", "killed"),
        harm(6.0, "edge.1", "ready"),
    ]

    assert find_longest_outage(events) == 2.5


def test_a_process_that_is_asked_to_hand_over_still_answers() -> None:
    events = [
        Harmed(0.0, "edge.1", "ready"),
        Harmed(0.0, "sentinel.1", "ready"),
        Harmed(1.0, "edge.1", "asked to hand over"),
        Harmed(3.0, "edge.1", "ended"),
        Harmed(3.1, "edge.1", "ready"),
    ]

    assert round(find_longest_outage(events), 3) == 0.1

"""What happened in a run, as publishers, subscribers and the one who does harm saw it. The judge sees nothing else.

Times are seconds since the run began, by one clock: everybody who writes here is in one process.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """A position, taken apart: clients need not, the judge must."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"


def read_place(text: str) -> Place:
    """Return the place that a position names; ValueError if it is none."""
    epoch, colon, digits = text.partition(":")
    if not (epoch and colon and digits.isdecimal()):
        raise ValueError(f"no position: {text[:60]!r}")
    return Place(epoch, int(digits))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened `at` this time."""

    at: float


# -- publishers


@dataclass(frozen=True, slots=True)
class Attempted(Event):
    """A writer sends its item number `number` of a channel. The same item may be attempted again."""

    id: str
    channel: str
    writer: str
    number: int
    is_for_streams_only: bool = False  # long-polls pass over it; others are at least told its position
    process: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledged(Event):
    """The item's publish was answered with 200."""

    id: str
    process: str = ""


@dataclass(frozen=True, slots=True)
class Unanswered(Event):
    """The item's publish failed, or got no answer; whether it is stored is not known."""

    id: str
    why: str
    process: str = ""


@dataclass(frozen=True, slots=True)
class OrderUnknown(Event):
    """No order was promised among these items of a writer, only between them and the others."""

    channel: str
    writer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """Somebody was refused for good, who asked for nothing wrong."""

    who: str
    why: str


# -- subscribers


@dataclass(frozen=True, slots=True)
class Began(Event):
    """A subscriber begins a connection. `since`: the place of each channel that it comes back with."""

    subscriber: str
    transport: str
    process: str
    since: dict[str, Place]


@dataclass(frozen=True, slots=True)
class Subscribed(Event):
    """Items behind `place` follow, says the server."""

    subscriber: str
    channel: str
    place: Place
    recovered: bool


@dataclass(frozen=True, slots=True)
class Received(Event):
    """An item, or (where it has no content for this transport) its position."""

    subscriber: str
    channel: str
    place: Place
    id: str | None
    content: str | None  # the id again, from within the content; None: it had none


@dataclass(frozen=True, slots=True)
class Moved(Event):
    """A cursor says more than the items that came with it."""

    subscriber: str
    channel: str
    place: Place


@dataclass(frozen=True, slots=True)
class Reset(Event):
    """Items were lost to the subscriber, says the server."""

    subscriber: str
    channel: str
    place: Place
    reason: str


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The connection is over."""

    subscriber: str
    why: str


# -- processes


@dataclass(frozen=True, slots=True)
class Harmed(Event):
    """What was done to a process: `killed`, `stopped`, `continued`; or it `ended`, or is `ready` again."""

    process: str
    what: str


class Log:
    """All events of a run, in order."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.events: list[Event] = []
        self._clock = clock
        self._began_at = clock()

    def now(self) -> float:
        """Return the time of an event that happens now."""
        return self._clock() - self._began_at

    def add(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)

    def write(self, file: Path) -> None:
        """Write a line of JSON for each event."""
        with file.open("w") as out:
            for event in self.events:
                out.write(json.dumps({"event": type(event).__name__, **dataclasses.asdict(event)}) + "\n")

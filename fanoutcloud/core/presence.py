"""Who is on a channel: what edges report, what follows from it, and where that is kept (docs/topics/presence.md).

Each edge reports how many connections each user has on it, as absolute numbers, so that a report may be repeated. The
store puts the edges together in one atomic step per channel: a user joins with its first connection anywhere and leaves
with its last, a channel is occupied by its first connection and vacated by its last. Each such event has an id of its
own and is kept once.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from fanoutcloud.core.names import ChannelName, RealmId

EventKind = Literal["joined", "left", "occupied", "vacated"]

#: An edge says this often that it lives; one that has not for `LEASE_S` is gone, with all that it reported.
BEAT_S = 1.0
LEASE_S = 3.0
#: Every edge repeats all that it has of a channel this often: whatever a store may have lost is there again.
REPEAT_S = 60.0
#: What nobody repeats is forgotten.
KEPT_S = 600.0


class UserReport(msgspec.Struct, frozen=True, array_like=True):
    """How many connections a user has on one edge now; `info` is JSON text of the newest one."""

    user: str
    connections: int
    info: bytes | None = None


class ChannelReport(msgspec.Struct, frozen=True, array_like=True):
    """What an edge has of a channel. `users` are those that changed, or all of them if `is_whole`."""

    users: list[UserReport]
    connections: int  # all of them, those without a user, too
    anonymous: int
    is_whole: bool = False
    keeps_events: bool = True  # whether what follows goes to the realm's events


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A user who is there."""

    user: str
    info: bytes | None


class PresenceEvent(msgspec.Struct, frozen=True, array_like=True):
    """What followed from a report; `user` and `info` are of `joined` and `left`."""

    kind: EventKind
    user: str = ""
    info: bytes | None = None


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """A channel after a report. `version` rises by one with each."""

    version: int
    members: int
    connections: int
    anonymous: int
    events: list[PresenceEvent]


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """Everybody on a channel at one version."""

    version: int
    members: list[Member]
    connections: int
    anonymous: int


class KeptEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event of a realm. `id` is its own for ever; `cursor` is its place, to read on behind."""

    cursor: str
    id: str
    channel: ChannelName
    at: float
    event: PresenceEvent


class Beat(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a sign of life: whether this edge counts as gone, and which others have not been heard of."""

    is_gone: bool
    silent: list[str]


class Fenced(Exception):
    """The edge was taken for dead, and what it had was removed: it must take another name and report all anew."""


class OnKept(Protocol):
    """Hears of an event that goes to its realm's: perhaps more than once, never less. `Unavailable`: try it again."""

    async def __call__(self, realm: RealmId, event: KeptEvent, /) -> None: ...


async def tell_nobody(realm: RealmId, event: KeptEvent) -> None:
    """Nobody wants to hear of events."""


class PresenceStore(Protocol):
    """Shared by all edges. All raise `Unavailable` when it does not answer."""

    async def report(self, realm: RealmId, channel: ChannelName, edge: str, report: ChannelReport) -> Outcome:
        """Take in what an edge has.

        Raises:
            Fenced: the edge was taken for dead.
        """

    async def snapshot(self, realm: RealmId, channel: ChannelName) -> Snapshot:
        """Return everybody who is there."""

    async def beat(self, edge: str, *, is_first: bool) -> Beat:
        """Say that the edge lives."""

    async def channels_of(self, edge: str) -> list[tuple[RealmId, ChannelName]] | None:
        """Return the channels in which a silent edge reported; None: another one cleans up after it already."""

    async def remove(self, realm: RealmId, channel: ChannelName, edge: str) -> Outcome:
        """Remove all that an edge reported in the channel, and take no more reports of it there."""

    async def forget(self, edge: str) -> None:
        """Forget an edge whose channels have all been cleaned up."""

    async def read_events(self, realm: RealmId, *, after: str = "", limit: int = 100) -> Sequence[KeptEvent]:
        """Return the realm's events behind a cursor, oldest first."""

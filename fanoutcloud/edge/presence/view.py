"""Who is on a channel, as subscribers see it who asked to be told: a list that follows the store, and what changed."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.presence import Member, Outcome, PresenceEvent, Snapshot

if TYPE_CHECKING:
    from fanoutcloud.edge.encoding.wire import TellsAside
    from fanoutcloud.edge.hub.subscriber import Subscriber

#: A message names so many; where there are more it counts them, and says that it is partial.
MAX_NAMED = 100

_encode = msgspec.json.Encoder().encode


class PresenceView:
    """One channel's. Batches what changes between two frames; who came and left in between is in none."""

    def __init__(self, channel: ChannelName) -> None:
        self.channel = channel
        self.watchers: dict[TellsAside, dict[Subscriber, Callable[[bytes], None]]] = {}
        self.version: int | None = None  # None: what it has is not known to be whole
        self.is_stale = True  # the store has to be read, or read again
        self.members: dict[str, bytes | None] = {}
        self.connections = 0
        self.anonymous = 0
        self._joined: dict[str, bytes | None] = {}
        self._left: set[str] = set()
        self._told: tuple[int, int] = (0, 0)
        self._fresh: dict[Subscriber, TellsAside] = {}  # not yet told who is there

    @property
    def is_unwatched(self) -> bool:
        return not self.watchers

    def add(self, subscriber: "Subscriber", wire: "TellsAside") -> None:
        """Tell `subscriber` who is there with the next frame, and then what changes. Idempotent."""
        self.watchers.setdefault(wire, {})[subscriber] = subscriber.sink.write
        self._fresh[subscriber] = wire

    def remove(self, subscriber: "Subscriber") -> None:
        """Tell it nothing more. Idempotent."""
        self._fresh.pop(subscriber, None)
        for wire, watchers in list(self.watchers.items()):
            if watchers.pop(subscriber, None) is not None and not watchers:
                del self.watchers[wire]

    def take(self, outcome: Outcome) -> bool:
        """Take in what followed from a report; return whether the view has to be loaded anew to be whole."""
        is_anew = outcome.version == 1 and self.version not in (None, 0)  # the store has lost the channel
        if self.version is None or is_anew or outcome.version > self.version + 1:
            self.version = None
            return True
        if outcome.version == self.version + 1:
            self.version = outcome.version
            self._apply(outcome.events)
            self.connections, self.anonymous = outcome.connections, outcome.anonymous
        return False

    def load(self, snapshot: Snapshot, *, asked_at: int | None) -> None:
        """Become what the snapshot says; the difference is told as usual.

        `asked_at`: the version here when it was asked for. A lower one than that is of a store that began anew.
        """
        is_anew = asked_at is not None and snapshot.version < asked_at
        if self.version is not None and snapshot.version <= self.version and not is_anew:
            return
        now = {member.user: member.info for member in snapshot.members}
        self._apply(PresenceEvent("left", user) for user in self.members.keys() - now.keys())
        self._apply(PresenceEvent("joined", user, info) for user, info in now.items() if user not in self.members)
        self.members = now
        self.version = snapshot.version
        self.connections, self.anonymous = snapshot.connections, snapshot.anonymous

    def _apply(self, events: "Iterable[PresenceEvent]") -> None:
        for event in events:
            if event.kind == "joined":
                self.members[event.user] = event.info
                if event.user in self._left:
                    self._left.discard(event.user)
                else:
                    self._joined[event.user] = event.info
            elif event.kind == "left":
                self.members.pop(event.user, None)
                if event.user in self._joined:
                    del self._joined[event.user]
                else:
                    self._left.add(event.user)

    def write_frames(self) -> None:
        """Write one message to each watcher for whom there is something new."""
        if self.version is None:
            return
        counts = (len(self.members), self.anonymous)
        has_changed = bool(self._joined or self._left or counts != self._told)
        fresh, self._fresh = self._fresh, {}
        if has_changed:
            message = self._changes()
            self._joined, self._left, self._told = {}, set(), counts
            for wire, watchers in list(self.watchers.items()):
                frame = wire.aside("presence", message)
                for subscriber, write in list(watchers.items()):
                    if subscriber not in fresh:
                        write(frame)
        if fresh:
            self._tell_all(fresh)

    def _tell_all(self, fresh: "dict[Subscriber, TellsAside]") -> None:
        message = presence_message(self.channel, self.snapshot().members, self.anonymous)
        frames = {wire: wire.aside("presence", message) for wire in set(fresh.values())}
        for subscriber, wire in fresh.items():
            subscriber.sink.write(frames[wire])

    def _changes(self) -> bytes:
        is_partial = len(self._joined) + len(self._left) > MAX_NAMED
        message: dict[str, object] = {"type": "presence", "channel": self.channel}
        if not is_partial:
            message["joined"] = [describe(Member(user, info)) for user, info in self._joined.items()]
            message["left"] = sorted(self._left)
        message |= {"count": len(self.members), "anonymous": self.anonymous}
        return _encode(message | {"partial": True} if is_partial else message)

    def snapshot(self) -> Snapshot:
        """Return what the view has."""
        members = [Member(user, info) for user, info in self.members.items()]
        return Snapshot(self.version or 0, members, self.connections, self.anonymous)


def presence_message(
    channel: ChannelName, members: Sequence[Member], anonymous: int, *, after: str = "", limit: int = MAX_NAMED
) -> bytes:
    """Return who is there, in order of their names, those behind `after`; with `cursor` if there are more."""
    behind = sorted((one for one in members if one.user > after), key=lambda one: one.user)
    page = behind[:limit]
    message: dict[str, object] = {
        "type": "presence",
        "channel": channel,
        "members": [describe(one) for one in page],
        "count": len(members),
        "anonymous": anonymous,
    }
    if len(behind) > limit:
        message["cursor"] = page[-1].user
    return _encode(message)


def describe(member: Member) -> dict[str, object]:
    """Return a member as clients see it."""
    if member.info is None:
        return {"user": member.user}
    return {"user": member.user, "info": msgspec.Raw(member.info)}

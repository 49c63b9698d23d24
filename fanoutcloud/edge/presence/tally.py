"""Who of this process is on one channel: counted, and reported when it has changed."""

from dataclasses import dataclass, field

from fanoutcloud.core.access import Grant
from fanoutcloud.core.presence import ChannelReport, UserReport

#: A user or a channel that has no connection any more is reported so after this long: clients that come back within a
#: second, a poll that asks again or a connection that moves to another process have not left.
GRACE_S = 2.0


@dataclass(slots=True)
class _User:
    connections: int = 0
    info: bytes | None = None


@dataclass(slots=True)
class Tally:
    """One channel's count in this process. `now` is of one monotonic clock."""

    keeps_events: bool = True
    connections: int = 0
    anonymous: int = 0
    is_whole: bool = True  # the next report names everybody: the first one does
    is_dirty: bool = False
    users: dict[str, _User] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)
    _left_at: dict[str, float] = field(default_factory=dict)
    _empty_at: float | None = None

    def enter(self, grant: Grant) -> None:
        """Count one connection in."""
        self.connections += 1
        self._empty_at = None
        self.is_dirty = True
        if not grant.user:
            self.anonymous += 1
            return
        user = self.users.setdefault(grant.user, _User())
        user.connections += 1
        is_new = user.connections == 1 and grant.user not in self._left_at
        self._left_at.pop(grant.user, None)
        if is_new or user.info != grant.info:
            user.info = grant.info
            self._changed.add(grant.user)

    def leave(self, grant: Grant, now: float) -> None:
        """Count one connection out."""
        self.connections -= 1
        self.is_dirty = True
        if not self.connections:
            self._empty_at = now
        if not grant.user:
            self.anonymous -= 1
            return
        user = self.users[grant.user]
        user.connections -= 1
        if not user.connections:
            self._left_at[grant.user] = now

    def take_report(self, now: float) -> ChannelReport | None:
        """Return what is to be reported now; None: what has changed is within its grace."""
        over = [user for user, left_at in self._left_at.items() if left_at + GRACE_S <= now]
        for user in over:
            del self._left_at[user], self.users[user]
        changed = set(self.users) if self.is_whole else {*self._changed, *over}
        is_empty = self._empty_at is not None and self._empty_at + GRACE_S <= now
        self.is_dirty = bool(self._left_at) or (self._empty_at is not None and not is_empty)
        if self._empty_at is not None and not is_empty and not changed:
            return None  # still counted as one: the channel may be empty for a moment only
        connections = self.connections or int(not is_empty and self._empty_at is not None)
        reports = [self._describe(user) for user in sorted(changed)]
        report = ChannelReport(reports, connections, self.anonymous, self.is_whole, self.keeps_events)
        self._changed.clear()
        self.is_whole = False
        return report

    def repeat(self) -> None:
        """Have everybody named in the next report: the one before did not get through, or it is time."""
        self.is_whole = self.is_dirty = True

    def clear(self, now: float) -> None:
        """Count nobody any more: the channel's rule has changed. Reported without grace."""
        self.users.clear()
        self._left_at.clear()
        self.connections = self.anonymous = 0
        self._empty_at = now - GRACE_S
        self.repeat()

    @property
    def is_over(self) -> bool:
        """Whether nobody is here and that has been reported."""
        return not self.connections and not self.is_dirty

    def _describe(self, name: str) -> UserReport:
        user = self.users.get(name)
        if user is None:
            return UserReport(name, 0)
        return UserReport(name, max(1, user.connections), user.info)  # one within its grace still is there

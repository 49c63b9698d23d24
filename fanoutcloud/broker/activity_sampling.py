"""Which events are shown when more happen than anybody can read: an even choice of each kind, and how many were not.

Kinds have shares of their own, so that a flood of items hides neither an error nor a disconnect.
"""

MAX_EVENTS_PER_S = 100
#: Who is connected already is told at once when somebody begins to watch.
_MAX_OF_KIND = {"connected": 250}


class _Share:
    """One kind's events in this second: how many came, how many were shown, and which part of them is to be."""

    __slots__ = ("credit", "part", "seen", "shown")

    def __init__(self) -> None:
        self.seen = 0
        self.shown = 0
        self.part = 1.0
        self.credit = 1.0


class Sampler:
    """One realm's events in this process. Seconds begin with `begin_second`."""

    __slots__ = ("_shares", "began_at", "dropped", "shown")

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}
        self.began_at = 0.0
        self.dropped = 0
        self.shown = 0

    def admit(self, kind: str) -> bool:
        """Tell whether this event is one of those to be shown; count it either way.

        In the first second of a flood those that come first are shown; from then on every n-th, by the rate of the
        second before, so that what is shown is spread over the time.
        """
        share = self._shares.get(kind)
        if share is None:
            share = self._shares[kind] = _Share()
        share.seen += 1
        share.credit += share.part
        if share.credit < 1 or share.shown >= _limit(kind):
            self.dropped += 1
            return False
        share.credit -= 1
        share.shown += 1
        self.shown += 1
        return True

    def begin_second(self, now: float) -> tuple[int, int]:
        """Return how many were left out and shown in the second that is over, and begin another."""
        told = self.dropped, self.shown
        self.began_at, self.dropped, self.shown = now, 0, 0
        for kind, share in list(self._shares.items()):
            if not share.seen:
                del self._shares[kind]
                continue
            share.part = min(1.0, _limit(kind) / share.seen)
            share.seen = share.shown = 0
            share.credit = 1 - share.part  # so that the next one is shown: what happens alone must not be missed
        return told


def _limit(kind: str) -> int:
    return _MAX_OF_KIND.get(kind, MAX_EVENTS_PER_S)

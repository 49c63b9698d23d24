"""Items that go out together: what is asked and entered once for all of them, instead of once for each."""

from time import perf_counter

from fanoutcloud.core.activity import ActivitySink
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.reporting.ledger import Ledger
from fanoutcloud.edge.reporting.sightings import find_delivered_event


class Broadcasts:
    """Broadcasts in one turn of the event loop, nearly always of one realm. `end` after the last one."""

    __slots__ = ("_activity", "_clock", "_is_watched", "_items_out", "_ledger", "_passed_s", "_realm", "_size_bytes")

    def __init__(self, ledger: Ledger, activity: ActivitySink, clock: Clock) -> None:
        self._ledger = ledger
        self._activity = activity
        self._clock = clock
        self._realm: RealmId | None = None
        self._items_out: dict[str, int] = {}
        self._is_watched = False
        self._size_bytes = 0
        #: When the broadcast before was over: nothing else is done in between.
        self._passed_s = perf_counter()

    def send(self, local: LocalChannel, stored: StoredItem) -> None:
        """Write the next item of a channel to its subscribers here."""
        ledger = self._ledger
        if local.realm != self._realm:
            self._begin(local.realm)
        ledger.flight.seen(local.realm, stored)
        self._size_bytes += local.broadcast(stored, self._items_out)
        passed_s = perf_counter()
        ledger.edge.fan_outs.observe(passed_s - self._passed_s)
        self._passed_s = passed_s
        if self._is_watched:
            event = find_delivered_event(local, stored, at=self._clock.now())
            if event is not None:
                self._activity.record(local.realm, event)

    def _begin(self, realm: RealmId) -> None:
        self.end()
        self._realm = realm
        self._items_out = self._ledger.sent_to(realm)
        self._is_watched = self._activity.is_watched(realm)

    def end(self) -> None:
        """Enter what was written."""
        if self._realm is not None:
            self._ledger.fanned_out(self._realm, self._size_bytes)
        self._size_bytes = 0

"""Somebody who watches, or nobody."""

from fanoutcloud.core.activity import Event
from fanoutcloud.core.names import RealmId


class RecordingActivity:
    """Keeps the events of the realms that it watches."""

    def __init__(self, *watched: RealmId) -> None:
        self._watched = set(watched)
        self.events: list[tuple[RealmId, Event]] = []

    def is_watched(self, realm: RealmId) -> bool:
        return realm in self._watched

    def record(self, realm: RealmId, event: Event) -> None:
        self.events.append((realm, event))

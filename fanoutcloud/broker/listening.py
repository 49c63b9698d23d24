"""Who listens in this process: the hub to live items, others to announcements."""

import logging
from collections.abc import Callable, Sequence

from fanoutcloud.broker.base import AnnouncementCallback, BrokerListener, LiveItem

logger = logging.getLogger(__name__)


def deliver_items(listener: BrokerListener, items: Sequence[LiveItem]) -> None:
    """Hand items to the hub; a fault of its own is logged, and neither the broker nor later items suffer."""
    try:
        listener.on_items(items)
    except Exception:  # the hub promised not to raise; the connection and the publish are not its to break
        logger.exception("listener_failed")


def tell_reconnected(listener: BrokerListener) -> None:
    """Tell the hub that it may have missed items; a fault of its own is logged, and the connection stays."""
    try:
        listener.on_reconnected()
    except Exception:  # as above
        logger.exception("listener_failed")


class AnnouncementListeners:
    """Callbacks by topic. `on_first` and `on_last` hear of a topic's first and of the end of its last."""

    def __init__(
        self,
        *,
        on_first: Callable[[str], None] = lambda topic: None,
        on_last: Callable[[str], None] = lambda topic: None,
    ) -> None:
        self._callbacks: dict[str, list[AnnouncementCallback]] = {}
        self._on_first = on_first
        self._on_last = on_last

    def topics(self) -> list[str]:
        """Return the topics that have a callback."""
        return list(self._callbacks)

    def listen(self, topic: str, callback: AnnouncementCallback) -> Callable[[], None]:
        """Add the callback; return the function that removes it, which may be called twice."""
        if topic not in self._callbacks:
            self._callbacks[topic] = []
            self._on_first(topic)
        self._callbacks[topic].append(callback)
        is_listening = True

        def unlisten() -> None:
            nonlocal is_listening
            if is_listening:
                is_listening = False
                self._remove(topic, callback)

        return unlisten

    def deliver(self, topic: str, payload: bytes) -> None:
        """Call every callback of the topic; one that raises is logged, and the others are still called."""
        for callback in list(self._callbacks.get(topic, ())):
            try:
                callback(payload)
            except Exception:  # a listener's fault must not end the connection that serves all of them
                logger.exception("announcement_callback_failed", extra={"topic": topic})

    def _remove(self, topic: str, callback: AnnouncementCallback) -> None:
        callbacks = self._callbacks[topic]
        callbacks.remove(callback)
        if not callbacks:
            del self._callbacks[topic]
            self._on_last(topic)

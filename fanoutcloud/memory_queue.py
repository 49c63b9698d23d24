"""Celery messages within one process, for when there is no Redis."""

import threading
from queue import Empty
from typing import Any

from celery.worker import state as worker_state
from kombu.transport import memory

#: A worker that is told of nothing looks up after this time. Messages and the end are told at once.
LOOK_UP_S = 2.0


class Arrivals:
    """Tells those who wait for messages that there is something to look at. Of any thread."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def tell(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait_beyond(self, count: int, timeout_s: float) -> None:
        """Return once something was told after `count` was read, or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self.count != count, timeout_s)


class Channel(memory.Channel):
    """Kombu's channel in memory; the queues of all channels are the same, and so is who is told."""

    arrivals = Arrivals()

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)  # type: ignore[no-untyped-call]  # kombu's
        self.arrivals.tell()


class Transport(memory.Transport):
    """Kombu's transport in memory; waits for messages instead of asking for them again and again."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Deliver one message; `TimeoutError` when none comes in time, or the worker is to end."""
        arrivals = self.Channel.arrivals
        seen = arrivals.count  # read before looking: what comes after the look ends the wait
        if self._deliver_one():
            return
        if worker_state.should_stop is None:
            arrivals.wait_beyond(seen, timeout or LOOK_UP_S)
        if not self._deliver_one():
            raise TimeoutError

    def _deliver_one(self) -> bool:
        assert self.cycle is not None  # kombu makes it with the transport
        try:
            self.cycle.get(self._deliver, timeout=0)  # type: ignore[no-untyped-call]  # kombu's
        except Empty:
            return False
        return True

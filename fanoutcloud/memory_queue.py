"""Celery messages within one process, for when there is no Redis."""

from typing import Any

from kombu.transport import memory

#: How soon a message is seen, and how soon a worker that is asked to stop notices.
POLL_INTERVAL_S = 0.2


class Transport(memory.Transport):
    """Kombu's transport in memory, with a wait that ends sooner: Celery's workers ask for two seconds."""

    polling_interval = POLL_INTERVAL_S

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Deliver one message; `TimeoutError` when none comes in time."""
        wait_s = min(timeout or POLL_INTERVAL_S, POLL_INTERVAL_S)
        super().drain_events(connection, timeout=wait_s, **kwargs)  # type: ignore[no-untyped-call]  # kombu's

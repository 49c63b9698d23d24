"""Webhooks in a worker: a thread with an event loop of its own, beside Celery's tasks.

Composition only, as `fanoutcloud.celery`, which begins and ends it with the worker. Why no task: docs/decisions/0013.
"""

import asyncio
import logging
import threading
from typing import cast

import uvloop
from django.apps import apps
from django.conf import settings

from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_event_outbox import RedisEventOutbox
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.webhooks import EventOutbox
from fanoutcloud.way_out import make_gate_rules, open_way_out
from publishing.apps import PublishingConfig
from publishing.webhooks.engine import run_engine
from publishing.webhooks.pump import Pump
from publishing.webhooks.sender import Sender

logger = logging.getLogger(__name__)

#: How often something is tried that is not there when the worker begins, and after a fault.
RETRY_S = 1.0
#: A worker that ends waits no longer than this for its calls; what is left is found again when its lease ends.
STOP_TIMEOUT_S = 8.0


class WebhookWorker:
    """One per worker process. `start` and `stop` are of any thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._is_to_stop = threading.Event()

    def start(self) -> None:
        """Begin. Idempotent."""
        if self._thread is None:
            self._is_to_stop.clear()
            self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End, within `timeout_s`. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._is_to_stop.set()
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(timeout_s)
        if thread.is_alive():
            logger.warning("webhook_worker_left_behind")

    def _run(self) -> None:
        while not self._is_to_stop.is_set():
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(self._live())
            except Unavailable as error:
                logger.warning("webhook_worker_waits", extra={"why": error.message})
            except Exception:  # whatever it is: a worker without this thread would be missed by nobody
                logger.exception("webhook_worker_failed")
            self._is_to_stop.wait(RETRY_S)

    async def _live(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        if self._is_to_stop.is_set():
            return
        broker: RedisBroker | None = None
        try:
            if settings.STREAMS_URL:
                broker = RedisBroker(settings.STREAMS_URL, SystemClock())
                await broker.start()
                outbox: EventOutbox | None = RedisEventOutbox(broker.connection_for, SystemClock())
            else:
                outbox = find_own_outbox()
            if outbox is None:
                return  # this process's delivery plane has not begun
            async with open_way_out(settings) as way_out:
                await run_engine(outbox, Pump(Sender(way_out.client), make_gate_rules(settings)), self._stopping)
        finally:
            if broker is not None:
                await broker.close()


def find_own_outbox() -> EventOutbox | None:
    """Return the outbox of this process's delivery plane, where there is one."""
    plane = cast(PublishingConfig, apps.get_app_config("publishing")).plane
    return None if plane is None else plane.outbox

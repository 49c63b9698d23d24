"""Webhooks in a worker: a thread with an event loop of its own, beside Celery's tasks.

Composition only, as `fanoutcloud.celery`, which begins and ends it with the worker. Why no task: docs/decisions/0013.
"""

import asyncio
import logging
import threading
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import cast

import uvloop
from django.apps import apps
from django.conf import settings

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.event_outboxes import make_event_outbox
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.webhooks import NEWS_TOPIC, EventOutbox
from fanoutcloud.way_out import make_gate_rules, open_way_out
from publishing.apps import PublishingConfig
from publishing.webhooks.engine import Engine
from publishing.webhooks.pump import Pump
from publishing.webhooks.sender import Sender

logger = logging.getLogger(__name__)

#: What receivers are told to read.
DOCS_PATH = "/docs/howto/receive-webhooks/"
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
        self._engine: Engine | None = None
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
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)
        thread.join(timeout_s)
        if thread.is_alive():
            logger.warning("webhook_worker_left_behind")

    def _end(self) -> None:
        if self._stopping is not None:
            self._stopping.set()
        if self._engine is not None:
            self._engine.wake()

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
        async with AsyncExitStack() as ends:
            plane = await self._open_plane(ends)
            if plane is None:
                return  # this process's delivery plane has not begun
            broker, outbox = plane
            way_out = await ends.enter_async_context(open_way_out(settings))
            sender = Sender(way_out.client, docs_url=settings.PUBLIC_URL + DOCS_PATH)
            pump = Pump(sender, make_gate_rules(settings))
            engine = self._engine = Engine(outbox, pump, broker)
            ends.callback(broker.listen(NEWS_TOPIC, partial(self._tell, self._loop, engine)))
            await engine.run(self._stopping)

    async def _open_plane(self, ends: AsyncExitStack) -> tuple[Broker, EventOutbox] | None:
        """Return a broker and its outbox: of our own, or those of this process's delivery plane, where there is one."""
        if settings.STREAMS_URL:
            broker = RedisBroker(settings.STREAMS_URL, SystemClock())
            ends.push_async_callback(broker.close)
            await broker.start()
            return broker, make_event_outbox(broker, SystemClock())
        plane = cast(PublishingConfig, apps.get_app_config("publishing")).plane
        return None if plane is None else (plane.broker, plane.outbox)

    def _tell(self, loop: asyncio.AbstractEventLoop, engine: Engine, news: bytes) -> None:
        """Hand an announcement, which may come on another loop, to ours."""
        with suppress(RuntimeError):  # it is over
            loop.call_soon_threadsafe(engine.hear, news)

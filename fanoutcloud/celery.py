"""The task queue: Celery over Redis, or inside the serving process when there is no Redis.

With REDIS_URL, `celery -A fanoutcloud worker` and, once, `celery -A fanoutcloud beat`; without, `run_embedded`.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, signals
from celery.beat import Scheduler
from celery.schedules import crontab
from celery.worker import WorkController
from celery.worker import state as worker_state
from django.conf import settings

from fanoutcloud.memory_queue import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")

logger = logging.getLogger(__name__)

#: How long ending the embedded worker may take. A task that takes longer is left to die with the process:
#: mails are rows, and the next process finds them.
STOP_TIMEOUT_S = 3.0
START_TIMEOUT_S = 10.0
#: Beat looks at its schedule at least so often, whatever the clock does.
BEAT_LOOK_UP_S = 5.0

app = Celery("fanoutcloud")
app.conf.update(
    broker_url=settings.REDIS_URL or "memory://localhost",
    broker_transport=None if settings.REDIS_URL else "fanoutcloud.memory_queue:Transport",
    broker_connection_retry_on_startup=True,
    # A request that queues a task waits no longer than this for Redis; what is not queued is swept later.
    broker_connection_timeout=2,
    broker_transport_options={
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "visibility_timeout": 600,  # a message whose worker died comes again after this: longer than any task
        "global_keyprefix": "fanoutcloud:celery:",
    },
    task_ignore_result=True,
    task_acks_late=True,  # tasks are safe to run twice, so that none is lost with its worker
    task_reject_on_worker_lost=True,
    task_default_queue="fanoutcloud",
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    accept_content=["json"],
    timezone=settings.TIME_ZONE,
    beat_schedule_filename=str(settings.DATA_DIR / "beat-schedule"),
    beat_schedule={
        "sweep_outbox": {"task": "accounts.sweep_outbox", "schedule": 30.0, "options": {"expires": 25}},
        "check_domains": {"task": "realms.check_domains", "schedule": 60.0, "options": {"expires": 55}},
        "forget_old_rows": {
            "task": "publishing.forget_old_rows",
            "schedule": crontab(minute="41"),
            "options": {"expires": 3000},
        },
        "forget_old_deliveries": {
            "task": "publishing.forget_old_deliveries",
            "schedule": crontab(minute="*/10"),
            "options": {"expires": 500},
        },
        "clear_sessions": {
            "task": "accounts.clear_sessions",
            "schedule": crontab(hour="3", minute="17"),
            "options": {"expires": 3600},
        },
        "fetch_token_keys": {"task": "realms.fetch_token_keys", "schedule": 60.0, "options": {"expires": 55}},
        "probe": {"task": "onboarding.probe", "schedule": 60.0, "options": {"expires": 50}},
        "forget_old_probes": {
            "task": "onboarding.forget_old_probes",
            "schedule": crontab(minute="23"),
            "options": {"expires": 3000},
        },
        "remove_expired_sandboxes": {
            "task": "realms.remove_expired_sandboxes",
            "schedule": 60.0,
            "options": {"expires": 55},
        },
        "forget_expired_revocations": {
            "task": "realms.forget_expired_revocations",
            "schedule": crontab(minute="41"),
            "options": {"expires": 1800},
        },
    },
)
app.autodiscover_tasks()
_webhooks: list[Any] = []  # of `WebhookWorker`, which needs the apps to be loaded


@signals.setup_logging.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def keep_django_logging(**kwargs: Any) -> None:
    """Leave logging as the settings have it: Celery sets up its own unless somebody answers this signal."""


@signals.worker_ready.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def start_webhooks(**kwargs: Any) -> None:
    """Send webhooks in the worker's main process, beside its tasks."""
    from fanoutcloud.webhook_worker import WebhookWorker  # composes: not before the apps are loaded

    worker = WebhookWorker()
    worker.start()
    _webhooks.append(worker)


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def stop_webhooks(**kwargs: Any) -> None:
    """End what `start_webhooks` began."""
    while _webhooks:
        _webhooks.pop().stop()


@contextmanager
def run_embedded() -> Iterator[None]:
    """Run a worker and beat in threads of this process until the block ends, then end them within 3 s.

    For one process without Redis: messages are kept in memory. Signal handlers stay as they are. Time limits
    of tasks are not enforced here; tasks bound their own waits.
    """
    worker_state.should_stop = None  # left by the last end: a worker that was left behind must still see it
    ready = threading.Event()
    worker = threading.Thread(target=_run_worker, args=(ready,), name="celery-worker", daemon=True)
    end_of_beat = threading.Event()
    beat = threading.Thread(target=_run_beat, args=(end_of_beat,), name="celery-beat", daemon=True)
    worker.start()
    beat.start()
    try:
        if not ready.wait(START_TIMEOUT_S):
            logger.error("embedded_worker_not_started")
        start_webhooks()
        yield
    finally:
        stop_webhooks()
        end_of_beat.set()
        worker_state.should_stop = 0  # as Celery's signal handlers ask for a warm shutdown; an exit code
        Channel.arrivals.tell()
        _join([worker, beat], time.monotonic() + STOP_TIMEOUT_S)


def _run_worker(ready: threading.Event) -> None:
    # Built in its thread: it closes the database connections of the thread that it is built in.
    WorkController(
        app=app,
        pool_cls="solo",
        concurrency=1,
        ready_callback=lambda consumer: ready.set(),
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    ).start()


def _run_beat(is_to_end: threading.Event) -> None:
    """What Celery's beat service does, with a wait that can be ended."""
    scheduler = Scheduler(app, max_interval=BEAT_LOOK_UP_S)
    while not is_to_end.wait(scheduler.tick()):
        pass
    scheduler.close()


def _join(threads: list[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            logger.warning("embedded_thread_left_behind", extra={"left_behind": thread.name})

"""The realms app."""

from functools import cached_property

from django.apps import AppConfig
from django.conf import settings

from fanoutcloud.broker.announcer import Announcer, NullAnnouncer, RedisAnnouncer
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.failures import FailuresByAddress


class RealmsConfig(AppConfig):
    """Holds the way by which changes of realms are told to every edge."""

    name = "realms"

    @cached_property
    def announcer(self) -> Announcer:
        """Where changes are announced. `fanoutcloud.asgi` sets the one of its broker.

        Otherwise (management commands, Celery workers) it is made at first use: Redis if there is one.
        Without, nothing is told, and a serving process learns of a change when its snapshot expires.
        """
        return RedisAnnouncer(settings.STREAMS_URL) if settings.STREAMS_URL else NullAnnouncer()

    @cached_property
    def failures(self) -> FailuresByAddress:
        """Who sends the management API credentials that do not hold; of this process alone."""
        return FailuresByAddress(SystemClock())

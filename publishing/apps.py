"""The publishing app."""

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from django.apps import AppConfig

from fanoutcloud.broker.activity import ActivityFeed
from fanoutcloud.broker.base import Broker
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmDirectory
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.reads import DeliveryReads
from fanoutcloud.core.webhooks import EventOutbox
from publishing.authentication import Authenticator
from publishing.services import Publisher

T = TypeVar("T")


class Door(Protocol):
    """From a thread that may wait to the plane's event loop."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:  # Any: what a coroutine yields and is sent
        """Return what `work` returns, or raise what it raises; `Unavailable` after 2 s."""


class DeliveryPlane(Protocol):
    """What Django's views may use of the delivery plane in their process."""

    @property
    def broker(self) -> Broker: ...

    @property
    def directory(self) -> RealmDirectory: ...

    @property
    def activity(self) -> ActivityFeed: ...

    @property
    def reads(self) -> DeliveryReads:
        """Questions to all edges; in views `plane.door.run(plane.reads.channels(…))`."""

    @property
    def door(self) -> Door: ...

    @property
    def publisher(self) -> Publisher: ...

    @property
    def outbox(self) -> EventOutbox: ...

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def flight(self) -> FlightRecorder: ...

    @property
    def clock(self) -> Clock: ...


class PublishingConfig(AppConfig):
    """Holds the door from Django's views to the delivery plane."""

    name = "publishing"

    #: Set by `fanoutcloud.asgi` when it composes this process. None until then, and for good in processes
    #: that serve nothing (management commands, Celery workers).
    plane: DeliveryPlane | None = None

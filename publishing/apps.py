"""The publishing app."""

from typing import Protocol

from django.apps import AppConfig

from fanoutcloud.broker.activity import ActivityFeed
from fanoutcloud.broker.base import Broker
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmDirectory
from publishing.authentication import Authenticator
from publishing.services import Publisher


class DeliveryPlane(Protocol):
    """What Django's views may use of the delivery plane in their process."""

    @property
    def broker(self) -> Broker: ...

    @property
    def directory(self) -> RealmDirectory: ...

    @property
    def activity(self) -> ActivityFeed: ...

    @property
    def publisher(self) -> Publisher: ...

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def clock(self) -> Clock: ...


class PublishingConfig(AppConfig):
    """Holds the door from Django's views to the delivery plane."""

    name = "publishing"

    #: Set by `fanoutcloud.asgi` when it composes this process. None until then, and for good in processes
    #: that serve nothing (management commands, Celery workers).
    plane: DeliveryPlane | None = None

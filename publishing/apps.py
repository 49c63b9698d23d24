"""The publishing app."""

from typing import Any, Protocol

from django.apps import AppConfig

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.directory import RealmDirectory


class DeliveryPlane(Protocol):
    """What Django's views may use of the delivery plane in their process."""

    broker: Broker
    directory: RealmDirectory
    activity: Any  # recorder and feed in one; views only hand it on


class PublishingConfig(AppConfig):
    """Holds the door from Django's views to the delivery plane."""

    name = "publishing"

    #: Set by `fanoutcloud.asgi` when it composes this process. None until then, and for good in processes
    #: that serve nothing (management commands, Celery workers).
    plane: DeliveryPlane | None = None

"""The way from a view to the delivery plane of its process."""

from typing import cast

from django.apps import apps

from fanoutcloud.core.errors import Unavailable
from publishing.apps import DeliveryPlane, PublishingConfig


def get_plane() -> DeliveryPlane:
    """Return the delivery plane of this process.

    Raises:
        Unavailable: it has none.
    """
    plane = cast(PublishingConfig, apps.get_app_config("publishing")).plane
    if plane is None:
        raise Unavailable("this process serves pages only")
    return plane

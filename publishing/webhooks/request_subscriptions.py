"""URLs that the compatible API has called for a channel: each is an endpoint, too (docs/api/rest-compat.md).

Such an endpoint gets items in the format `http-request`, and is not signed until it is given a secret.
"""

from django.db import transaction

from fanoutcloud.core.names import ChannelName
from publishing.models import WebhookEndpoint
from realms.announcements import announce_change
from realms.models import Realm, RequestSubscription
from realms.services import webhooks as registrations


@transaction.atomic
def add_request_subscription(*, realm: Realm, channel: ChannelName, url: str) -> RequestSubscription:
    """Have `url` called with what is published to the channel; see `realms.services.webhooks`, also for errors."""
    row = registrations.add_request_subscription(realm=realm, channel=channel, url=url)
    _, is_new = WebhookEndpoint.objects.get_or_create(
        subscription=row,
        defaults={
            "realm": realm,
            "url": row.url,
            "patterns": [row.channel],
            "events": ["channel.message"],
            "format": WebhookEndpoint.Format.HTTP_REQUEST,
        },
    )
    if is_new:
        announce_change(realm)
    return row


@transaction.atomic
def remove_request_subscription(*, realm: Realm, channel: ChannelName, url: str) -> None:
    """Have `url` called no more; see `realms.services.webhooks`, also for errors."""
    registrations.remove_request_subscription(realm=realm, channel=channel, url=url)
    announce_change(realm)

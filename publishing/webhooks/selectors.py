"""Reading webhooks: endpoints of a realm, deliveries, attempts."""

from datetime import datetime

from django.db.models import QuerySet

from publishing.models import HistoryReplay, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from publishing.webhooks.errors import DeliveryNotFound, EndpointNotFound
from realms.models import Realm


def list_endpoints(realm: Realm, *, with_compatible: bool = False) -> QuerySet[WebhookEndpoint]:
    """Return the realm's endpoints, the oldest first; those of the compatible API if asked for."""
    rows = WebhookEndpoint.objects.filter(realm=realm).order_by("pk")
    return rows if with_compatible else rows.filter(subscription=None)


def get_endpoint(realm: Realm, endpoint_id: int) -> WebhookEndpoint:
    """Return an endpoint of the realm, or raise `EndpointNotFound`."""
    row = WebhookEndpoint.objects.filter(realm=realm, pk=endpoint_id).first()
    if row is None:
        raise EndpointNotFound
    return row


def list_history_replays(realm: Realm, endpoint_id: int) -> QuerySet[HistoryReplay]:
    """Return the replays of history that were asked for lately, the newest first.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
    """
    return HistoryReplay.objects.filter(endpoint=get_endpoint(realm, endpoint_id)).order_by("-pk")


def list_deliveries(
    realm: Realm,
    *,
    endpoint_id: int | None = None,
    state: str = "",
    kind: str = "",
    channel: str = "",
    webhook_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[WebhookDelivery]:
    """Return the realm's deliveries, the newest first, or what of them fits; page by primary key."""
    rows = WebhookDelivery.objects.filter(realm=realm).defer("body").order_by("-pk")
    exact = {
        "endpoint_id": endpoint_id, "state": state, "kind": kind, "channel": channel, "webhook_id": webhook_id,
    }  # fmt: skip
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if webhook_id and not endpoint_id:  # by the index of each endpoint's ids
        rows = rows.filter(endpoint__in=list(list_endpoints(realm, with_compatible=True).values_list("pk", flat=True)))
    rows = rows.filter(created_at__gte=since) if since else rows
    return rows.filter(created_at__lt=until) if until else rows


def get_delivery(realm: Realm, delivery_id: int) -> WebhookDelivery:
    """Return a delivery of the realm, or raise `DeliveryNotFound`."""
    row = WebhookDelivery.objects.select_related("endpoint").filter(realm=realm, pk=delivery_id).first()
    if row is None:
        raise DeliveryNotFound
    return row


def list_attempts(realm: Realm, delivery_id: int) -> QuerySet[WebhookAttempt]:
    """Return the attempts of a delivery of the realm, the newest first.

    Those of a batch are kept with its first delivery, and found from any of it.

    Raises:
        DeliveryNotFound: the realm has no such delivery.
    """
    delivery = get_delivery(realm, delivery_id)
    owners = WebhookDelivery.objects.filter(pk=delivery.pk)
    if delivery.batch:
        owners = WebhookDelivery.objects.filter(realm=realm, endpoint=delivery.endpoint_id, batch=delivery.batch)
    return WebhookAttempt.objects.filter(delivery__in=owners).order_by("-pk")

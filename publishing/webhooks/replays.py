"""Sending again what was sent or given up, and sending an event to see whether an endpoint works."""

import secrets
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import HookEvent
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.bodies import JSON_TYPE, event_body, make_webhook_id, ordered_key
from publishing.webhooks.endpoints import lock_endpoint, thing_of
from publishing.webhooks.errors import BodyGone, DeliveryNotFound, EndpointDisabled
from realms.announcements import announce_webhooks
from realms.audit import Action, note
from realms.models import Realm

#: Rows are made due in steps of this, so that a replay of a million holds no lock for long.
STEP_ROWS = 5_000

State = WebhookDelivery.State


@transaction.atomic
def replay_delivery(*, realm: Realm, delivery_id: int) -> WebhookDelivery:
    """Send a delivery again, under its own id and from the first step of the schedule. One that waits is sent now.

    Raises:
        DeliveryNotFound: the realm has no such delivery.
        EndpointDisabled: its endpoint is disabled.
        BodyGone: it was delivered more than a day ago, and what was sent is not kept any more.
    """
    delivery = (
        WebhookDelivery.objects.select_for_update(of=("self",))
        .select_related("endpoint")
        .filter(realm=realm, pk=delivery_id)
        .first()
    )
    if delivery is None:
        raise DeliveryNotFound
    if delivery.endpoint.state == WebhookEndpoint.State.DISABLED:
        raise EndpointDisabled
    if not delivery.has_body:
        raise BodyGone
    if delivery.state == State.WAITING:
        if not delivery.claim:
            delivery.due_at = timezone.now()
            delivery.save(update_fields=["due_at"])
    else:
        _again(WebhookDelivery.objects.filter(pk=delivery.pk))
        delivery.refresh_from_db()
    announce_webhooks()
    note(realm, Action.WEBHOOK_REPLAYED, f"{delivery.webhook_id} → {thing_of(delivery.endpoint)}")
    return delivery


def replay_since(*, realm: Realm, endpoint_id: int, since: datetime, only_dead: bool = True) -> int:
    """Send an endpoint again what was given up since a moment, or all since then; return how many.

    Those that wait are left alone, so that asking twice changes nothing, and so are those whose bodies are not kept any
    more. Not one transaction: what fails in the middle can be asked for again.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
        EndpointDisabled: it is disabled.
    """
    with transaction.atomic():
        endpoint = lock_endpoint(realm, endpoint_id)
        if endpoint.state == WebhookEndpoint.State.DISABLED:
            raise EndpointDisabled
        note(realm, Action.WEBHOOK_REPLAYED, f"all since {since:%Y-%m-%d %H:%M} → {thing_of(endpoint)}")
    states = [State.DEAD] if only_dead else [State.DEAD, State.DELIVERED]
    # The newest of all endpoints': for the newest of one, PostgreSQL may walk over what others have stored since.
    newest = WebhookDelivery.objects.order_by("-pk").values_list("pk", flat=True).first()
    rows = WebhookDelivery.objects.filter(realm=realm, endpoint=endpoint, created_at__gte=since, has_body=True)
    rows = rows.filter(state=State.DEAD) if only_dead else rows.filter(state__in=states)
    count, last = 0, 0
    while True:
        step = list(
            rows.filter(pk__gt=last, pk__lte=newest or 0).order_by("pk").values_list("pk", flat=True)[:STEP_ROWS]
        )
        if not step:
            return count
        count += _again(WebhookDelivery.objects.filter(pk__in=step, state__in=states))
        last = step[-1]
        announce_webhooks()


@transaction.atomic
def send_test_event(*, realm: Realm, endpoint_id: int) -> WebhookDelivery:
    """Send an event of the kind `webhook.test`, as any other is sent; its delivery tells what came of it.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
        EndpointDisabled: it is disabled.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    if endpoint.state == WebhookEndpoint.State.DISABLED:
        raise EndpointDisabled
    announce_webhooks()
    now = timezone.now()
    event = HookEvent(
        RealmId(realm.pk), "webhook.test", f"test:{secrets.token_hex(12)}", now.timestamp(),
        data=b'{"text":"This is a test: the endpoint works."}',
    )  # fmt: skip
    return WebhookDelivery.objects.create(
        realm=realm,
        endpoint=endpoint,
        webhook_id=make_webhook_id(event),
        kind=event.kind,
        order_key=ordered_key(event) if endpoint.is_ordered else "",
        headers=[JSON_TYPE],
        body=event_body(event),
        event_at=now,
    )


def _again(rows: QuerySet[WebhookDelivery]) -> int:
    return rows.update(
        state=State.WAITING, due_at=timezone.now(), tries=0, claim="", batch="", finished_at=None,
        replays=F("replays") + 1,
    )  # fmt: skip

"""Who is told when an endpoint does badly: its realm's owner by mail, other endpoints by an event of their own."""

from datetime import datetime, timedelta
from functools import partial

import msgspec
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import EventKind, HookEvent
from publishing.models import WebhookEndpoint
from publishing.webhooks.relay import store_deliveries
from realms.announcements import announce_webhooks
from realms.models import Realm

#: That deliveries were given up is told once in so long for each endpoint.
EXHAUSTED_EVERY = timedelta(hours=24)

_encode = msgspec.json.Encoder().encode


def tell_paused(endpoint: WebhookEndpoint) -> None:
    """Tell that an endpoint has failed for a day. In a transaction, as all of these."""
    _mail_owner(
        endpoint, "is paused", endpoint.state_reason,
        "It is tried every half hour, and goes on by itself when it answers; what happens is kept for it.",
    )  # fmt: skip


def tell_of_end(endpoint: WebhookEndpoint, why: str, ends_at: datetime) -> None:
    """Tell that an endpoint will be disabled if it goes on like this."""
    _mail_owner(
        endpoint, "will be disabled", why,
        f"If nothing gets through until {ends_at:%Y-%m-%d %H:%M} UTC, it is disabled: nothing is kept for it any more.",
    )  # fmt: skip


def tell_disabled(endpoint: WebhookEndpoint, *, with_mail: bool) -> None:
    """Tell that nothing is sent to an endpoint any more: other endpoints, and its owner if nobody did it by hand."""
    key = f"disabled:{endpoint.pk}:{endpoint.state_since.timestamp()}"
    _store_event(endpoint, "endpoint.disabled", key, {"reason": endpoint.state_reason, "by": endpoint.paused_by})
    if with_mail:
        _mail_owner(
            endpoint, "is disabled", endpoint.state_reason,
            "Nothing is sent to it any more, nor kept for it. When you resume it, what waits is sent, and what it "
            "missed can be sent as far as the history of its channels goes.",
        )  # fmt: skip


def tell_exhausted(endpoint_id: int, count: int) -> None:
    """Tell that deliveries of an endpoint were given up; once in `EXHAUSTED_EVERY`."""
    now = timezone.now()
    is_new = Q(exhausted_told_at=None) | Q(exhausted_told_at__lte=now - EXHAUSTED_EVERY)
    if not WebhookEndpoint.objects.filter(is_new, pk=endpoint_id).update(exhausted_told_at=now):
        return
    endpoint = WebhookEndpoint.objects.select_related("realm").get(pk=endpoint_id)
    key = f"exhausted:{endpoint.pk}:{now.timestamp()}"
    _store_event(endpoint, "endpoint.exhausted", key, {"deliveries": count, "problem": endpoint.last_problem})
    _mail_owner(
        endpoint, "has deliveries that were given up", endpoint.last_problem,
        "They are in the log, and can be sent again from the page of the endpoint. You are told of this once a day.",
    )  # fmt: skip


def _store_event(endpoint: WebhookEndpoint, kind: EventKind, key: str, data: dict[str, object]) -> None:
    """Have the realm's endpoints that want to know called. The outbox is for others: here is the database."""
    members = _encode({"webhook": endpoint.pk, "label": endpoint.label, **data})
    event = HookEvent(RealmId(endpoint.realm_id), kind, key, timezone.now().timestamp(), data=members)
    if store_deliveries([event]):
        announce_webhooks()


def _mail_owner(endpoint: WebhookEndpoint, what: str, why: str, next_: str) -> None:
    owner = Realm.objects.select_related("owner").get(pk=endpoint.realm_id).owner
    if owner is None:
        return  # a sandbox: nobody has an address
    page = settings.PUBLIC_URL + reverse("webhooks:endpoint", args=[endpoint.realm_id, endpoint.pk])
    text = (
        f"The webhook endpoint {endpoint.label or endpoint.pk} of the realm {endpoint.realm} {what}.\n\n"
        f"Its address: {endpoint.url}\nWhy: {why}.\n\n{next_}\n\n{page}\n"
    )
    transaction.on_commit(partial(send_mail, f"Webhook endpoint {what}", text, None, [owner.email]))

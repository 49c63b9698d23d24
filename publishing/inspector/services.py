"""Opening inspectors, taking what is sent to them, and forgetting it again."""

import json
import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from fanoutcloud.core.errors import BodyTooLarge
from publishing.inspector.errors import InspectorBusy, InspectorLimitReached, InspectorNotFound
from publishing.inspector.signatures import check_signature
from publishing.models import InspectedRequest, Inspector
from publishing.webhooks.claims import read_keys
from publishing.webhooks.endpoints import add_row, check_settings, remove_endpoint
from realms.hosts import INSPECT_PATH
from realms.models import Realm
from realms.services.locking import lock_realm

MAX_INSPECTORS_PER_REALM = 5
#: The newest of each are kept, for so long at most.
MAX_REQUESTS = 100
KEPT_FOR = timedelta(days=1)
#: An inspector that nobody looks at ends, with its endpoint.
UNSEEN_FOR = timedelta(days=3)
MAX_BODY_BYTES = 65_536
MAX_HEADERS = 64
MAX_VALUE_CHARACTERS = 1_024
MAX_REQUESTS_PER_S = 50

Pairs = Sequence[tuple[str, str]]


def inspector_url(inspector: Inspector) -> str:
    """Return the URL that shows what is sent to it."""
    return f"{settings.PUBLIC_URL}{INSPECT_PATH}{inspector.name}/"


@transaction.atomic
def open_inspector(
    *, realm: Realm, patterns: Sequence[str] = ("*",), events: Sequence[str] = ("channel.message",)
) -> Inspector:
    """Open an inspector, with an endpoint of the realm that is called there. A sandbox may, too: nothing leaves us.

    Raises:
        InspectorLimitReached: the realm has `MAX_INSPECTORS_PER_REALM`.
        InvalidEndpoint, InvalidPattern: `patterns` or `events` can't be used.
        EndpointLimitReached: the realm has as many endpoints as one may.
    """
    checked = check_settings({"patterns": patterns, "events": events, "label": "inspector"})
    lock_realm(realm)
    if list_inspectors(realm).count() >= MAX_INSPECTORS_PER_REALM:
        raise InspectorLimitReached(MAX_INSPECTORS_PER_REALM)
    inspector = Inspector(name=secrets.token_hex(12))
    inspector.endpoint = add_row(realm, {**checked, "url": inspector_url(inspector)})
    inspector.save()
    return inspector


def close_inspector(*, realm: Realm, inspector_id: int) -> None:
    """Close an inspector, and remove its endpoint with what is kept of both.

    Raises:
        InspectorNotFound: the realm has no such inspector.
    """
    remove_endpoint(realm=realm, endpoint_id=get_inspector(realm, inspector_id).endpoint_id)


def list_inspectors(realm: Realm) -> QuerySet[Inspector]:
    """Return the realm's inspectors, the oldest first."""
    return Inspector.objects.filter(endpoint__realm=realm).select_related("endpoint").order_by("pk")


def get_inspector(realm: Realm, inspector_id: int) -> Inspector:
    """Return an inspector of the realm, or raise `InspectorNotFound`."""
    row = list_inspectors(realm).filter(pk=inspector_id).first()
    if row is None:
        raise InspectorNotFound
    return row


def list_requests(inspector: Inspector, *, after: int = 0) -> QuerySet[InspectedRequest]:
    """Return what came to an inspector behind the request `after`, the newest first. Counts as a look."""
    now = timezone.now()
    if now - inspector.seen_at > timedelta(minutes=5):
        Inspector.objects.filter(pk=inspector.pk).update(seen_at=now)
    rows = InspectedRequest.objects.filter(inspector=inspector, at__gt=now - KEPT_FOR)
    return rows.filter(pk__gt=after).order_by("-pk")


def show_body(row: InspectedRequest) -> str:
    """Return the body as text, JSON with its lines."""
    body = bytes(row.body)
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    return text[:MAX_BODY_BYTES]


def newest_request(inspector: Inspector) -> int:
    """Return the id of the newest request, 0 if there is none."""
    newest: int | None = InspectedRequest.objects.filter(inspector=inspector).aggregate(Max("pk"))["pk__max"]
    return newest or 0


def take_request(*, name: str, method: str, query: str, headers: Pairs, body: bytes) -> InspectedRequest:
    """Keep a request that came to the inspector `name`, and judge its signature as a receiver would.

    Raises:
        InspectorNotFound: there is none of this name.
        BodyTooLarge: the body has more than `MAX_BODY_BYTES`.
        InspectorBusy: more than `MAX_REQUESTS_PER_S` came within a second.
    """
    inspector = Inspector.objects.select_related("endpoint").filter(name=name).first()
    if inspector is None:
        raise InspectorNotFound
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(MAX_BODY_BYTES)
    _count(inspector)
    now = timezone.now()
    given = {key.lower(): value for key, value in headers}
    keys = read_keys(inspector.endpoint, now)
    check = check_signature(keys, headers=given, body=body, now=now.timestamp())
    row = InspectedRequest.objects.create(
        inspector=inspector,
        at=now,
        method=method[:16],
        query=query[:1024],
        headers=[(key[:100], value[:MAX_VALUE_CHARACTERS]) for key, value in headers[:MAX_HEADERS]],
        body=body,
        verdict=check.verdict,
        problem=check.problem,
    )
    _trim(inspector)
    return row


def forget_old_requests() -> None:
    """Delete requests that are kept no longer, and inspectors that nobody looks at. Safe to run twice."""
    now = timezone.now()
    InspectedRequest.objects.filter(at__lte=now - KEPT_FOR).delete()
    unseen = Inspector.objects.filter(seen_at__lte=now - UNSEEN_FOR).select_related("endpoint__realm")
    for inspector in unseen[:1000]:
        remove_endpoint(realm=inspector.endpoint.realm, endpoint_id=inspector.endpoint_id)


def _count(inspector: Inspector) -> None:
    """Count one request. Without a cache that answers, every process counts for itself."""
    key = f"inspector:{inspector.pk}:{int(timezone.now().timestamp())}"
    cache.add(key, 0, timeout=5)
    try:
        count = cache.incr(key)
    except ValueError:  # the cache has forgotten it between the two lines
        count = 1
    if count > MAX_REQUESTS_PER_S:
        raise InspectorBusy(MAX_REQUESTS_PER_S)


def _trim(inspector: Inspector) -> None:
    """Delete all but the newest requests."""
    rows = InspectedRequest.objects.filter(inspector=inspector).order_by("-pk")
    first_too_many = rows.values_list("pk", flat=True)[MAX_REQUESTS : MAX_REQUESTS + 1].first()
    if first_too_many is not None:
        rows.filter(pk__lte=first_too_many).delete()

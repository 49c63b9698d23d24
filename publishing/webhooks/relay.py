"""From the outbox to rows: one delivery for each endpoint that wants an event. Then the outbox may forget it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRules
from fanoutcloud.core.webhooks import CHANNEL_KINDS, RULE_KINDS, ChannelSet, HookEvent
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.bodies import JSON_TYPE, event_body, make_webhook_id, ordered_key
from publishing.webhooks.bulk import Row, columns_of, run_for_rows
from publishing.webhooks.own_headers import headers_of_item
from realms.models import Realm
from realms.snapshots import read_rules

#: A batching endpoint's events wait so long for others.
BATCH_WINDOW = timedelta(seconds=1)
#: A larger body is not sent (Standard Webhooks asks for less than 20 kB).
MAX_BODY_BYTES = 262_144

Format, State = WebhookEndpoint.Format, WebhookDelivery.State
_TABLE = WebhookDelivery._meta.db_table
_STORED = columns_of(
    WebhookDelivery,
    (
        "realm_id", "endpoint_id", "webhook_id", "kind", "channel", "position", "order_key", "event_at", "due_at",
        "method", "headers", "body", "state", "finished_at", "last_cause", "created_at",
    ),
)  # fmt: skip
#: What a row that nobody has tried holds beside these.
_UNTRIED = {"batch": "''", "claim": "''", "attempts": "0", "tries": "0", "replays": "0"}
_STORE = (
    f"INSERT INTO {_TABLE} ({', '.join([*_STORED, *_UNTRIED])})"  # noqa: S608
    f" SELECT {', '.join([*_STORED, *_UNTRIED.values()])} FROM {{rows}} WHERE true ON CONFLICT DO NOTHING"
)


class _Receiver:
    """An endpoint, read for matching."""

    def __init__(self, endpoint: WebhookEndpoint, rules: ChannelRules) -> None:
        self.endpoint = endpoint
        self._rules = rules
        self._channels = ChannelSet(parse_pattern(text) for text in endpoint.patterns)
        self._kinds = frozenset(endpoint.events)

    def wants(self, event: HookEvent) -> bool:
        """Return whether the endpoint is called with the event."""
        if event.kind not in CHANNEL_KINDS:
            return event.kind in self._kinds
        channel = ChannelName(event.channel)
        return self._channels.covers(channel) and self._wants_kind(event, channel) and self._has_form(event)

    def _wants_kind(self, event: HookEvent, channel: ChannelName) -> bool:
        if event.kind in self._kinds or (event.is_clients and "client.message" in self._kinds):
            return True
        if self.endpoint.subscription_id is not None:
            return False
        return any(RULE_KINDS[named] == event.kind for named in self._rules.find(channel).webhook_events)

    def _has_form(self, event: HookEvent) -> bool:
        item = event.item
        if item is None:
            return True
        if self.endpoint.format == Format.HTTP_REQUEST:
            return item.http_request is not None
        if self.endpoint.format == Format.JSON_OBJECT:
            return item.json_object is not None
        return item.http_request is not None or item.json_object is not None

    def delivery(self, event: HookEvent, now: datetime) -> Row:
        """Return the row of an event that is wanted, as `_STORED`.

        One that is larger than `MAX_BODY_BYTES` is given up from the start, so that it can be seen.
        """
        endpoint, item = self.endpoint, event.item
        method, body, headers = "POST", b"", [JSON_TYPE]
        due_at = now + BATCH_WINDOW if endpoint.is_batched else now
        if item is not None and item.http_request is not None and endpoint.format != Format.JSON_OBJECT:
            request = item.http_request
            method, body, headers = request.method, request.body, headers_of_item(item)
            due_at = now  # is no event of ours, and goes into no batch
        else:
            body = event_body(event)
        is_too_large = len(body) > MAX_BODY_BYTES
        return (
            event.realm,
            endpoint.pk,
            make_webhook_id(event),
            event.kind,
            event.channel,
            event.position,
            ordered_key(event) if endpoint.is_ordered else "",
            datetime.fromtimestamp(event.at, UTC),
            due_at,
            method,
            headers,
            b"" if is_too_large else body,
            (State.DEAD if is_too_large else State.WAITING).value,
            now if is_too_large else None,
            "too_large" if is_too_large else "",
            now,
        )


def store_deliveries(events: Sequence[HookEvent], *, endpoint_id: int | None = None) -> int:
    """Store a delivery of each event for each endpoint that wants it, or for one; return how many are new.

    Idempotent. Blocks.

    Events of realms that are gone, and what is larger than `MAX_BODY_BYTES`, come to nothing.

    Raises:
        DataError: the database does not take one of them; none was stored.
    """
    now = timezone.now()
    receivers = _find_receivers({event.realm for event in events}, endpoint_id)
    rows = [
        receiver.delivery(event, now)
        for event in _in_order(events)
        for receiver in receivers.get(event.realm, ())
        if receiver.wants(event)
    ]
    with transaction.atomic():
        return run_for_rows(_STORE, _STORED, rows)


def _find_receivers(realms: Iterable[RealmId], endpoint_id: int | None) -> dict[str, list[_Receiver]]:
    found: dict[str, list[_Receiver]] = {}
    rules: dict[str, ChannelRules] = {}
    rows = WebhookEndpoint.objects.filter(realm__in=set(realms)).exclude(state=WebhookEndpoint.State.DISABLED)
    rows = rows if endpoint_id is None else rows.filter(pk=endpoint_id)
    for row in rows.order_by("pk").defer("sealed_secret", "sealed_old_secret"):
        if row.realm_id not in rules:
            rules[row.realm_id] = read_rules(Realm(pk=row.realm_id))
        found.setdefault(row.realm_id, []).append(_Receiver(row, rules[row.realm_id]))
    return found


def _in_order(events: Sequence[HookEvent]) -> list[HookEvent]:
    """Return events as they came, those of a channel by their positions: processes may have stored them crosswise."""
    places: dict[tuple[str, str, str], list[int]] = {}
    for place, event in enumerate(events):
        epoch, _, offset = event.position.partition(":")
        if offset.isdigit():
            places.setdefault((event.realm, event.channel, epoch), []).append(place)
    ordered = list(events)
    for mine in places.values():
        for place, event in zip(mine, sorted((events[one] for one in mine), key=_offset), strict=True):
            ordered[place] = event
    return ordered


def _offset(event: HookEvent) -> int:
    return int(event.position.rpartition(":")[2])

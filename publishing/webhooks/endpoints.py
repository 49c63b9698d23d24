"""Changes to a realm's webhook endpoints. Each tells every edge, once it is committed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.webhooks import WANTED_KINDS
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.errors import EndpointLimitReached, EndpointNotFound, InvalidEndpoint
from publishing.webhooks.log_rules import CUT
from publishing.webhooks.notices import tell_disabled
from publishing.webhooks.own_headers import check_headers, seal_headers
from publishing.webhooks.pace import ALL
from publishing.webhooks.signing import new_secret, show_public_key, show_secret
from realms.announcements import announce_change, announce_webhooks
from realms.audit import Action, note
from realms.models import Realm
from realms.sealing import open_sealed, seal
from realms.services.labels import clean_label
from realms.services.locking import lock_realm
from realms.services.sandbox_rules import refuse_in_sandbox
from realms.services.webhooks import check_url

#: Beside those of the compatible API, which has limits of its own.
MAX_ENDPOINTS_PER_REALM = 50
MAX_PATTERNS = 100
TIMEOUTS_S = (1, 30)
#: The secret from before a rotation signs, too, for so long.
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=7)

State, Format, Pause = WebhookEndpoint.State, WebhookEndpoint.Format, WebhookEndpoint.Pause


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """What receivers check signatures with: `whsec_…`, and `whpk_…` where the endpoint signs with `v1a`, too.

    Empty where calls are not signed: an endpoint of the compatible API gets its first secret by a rotation.
    """

    secret: str = field(repr=False)
    public_key: str = ""


@dataclass(frozen=True, slots=True)
class CreatedEndpoint:
    """A new endpoint and its secrets."""

    endpoint: WebhookEndpoint
    secrets: EndpointSecrets


@transaction.atomic
def create_endpoint(
    *,
    realm: Realm,
    url: str,
    patterns: Sequence[str] = ("*",),
    events: Sequence[str] = ("channel.message",),
    format: str = Format.AUTO,  # noqa: A002 - the word of the vocabulary
    label: str = "",
    is_ordered: bool = False,
    is_batched: bool = False,
    has_v1a: bool = False,
    timeout_s: int = 15,
    headers: Mapping[str, str] | None = None,
) -> CreatedEndpoint:
    """Add an endpoint; it is called with what happens from now on.

    Raises:
        InvalidEndpoint: a setting can't be used; `field` names it.
        InvalidRequestUrl: the URL may not be called.
        InvalidLabel: the label can't be shown.
        EndpointLimitReached: the realm has `MAX_ENDPOINTS_PER_REALM`.
        NotInSandbox: the realm belongs to nobody.
    """
    settings = {
        "url": url, "patterns": patterns, "events": events, "format": format, "label": label,
        "is_ordered": is_ordered, "is_batched": is_batched, "timeout_s": timeout_s,
        "headers": headers or {},
    }  # fmt: skip
    checked = check_settings(settings)
    refuse_in_sandbox(realm, "call URLs")
    endpoint = add_row(realm, checked, has_v1a=has_v1a)
    return CreatedEndpoint(endpoint, open_secrets(endpoint))


@transaction.atomic
def change_endpoint(*, realm: Realm, endpoint_id: int, changes: Mapping[str, Any]) -> WebhookEndpoint:
    """Change settings of an endpoint: those of `create_endpoint`, by name. What waits already goes to the new URL.

    Headers replace those before; a value of `…` leaves one as it is, unless the URL is another server's.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
        InvalidEndpoint, InvalidRequestUrl, InvalidLabel, NotInSandbox: see `create_endpoint`.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    has_v1a = changes.get("has_v1a")
    checked = check_settings({name: value for name, value in changes.items() if name != "has_v1a"}, endpoint)
    if has_v1a is not None and bool(has_v1a) != bool(endpoint.sealed_signing_key):
        checked["sealed_signing_key"] = seal(new_secret()) if has_v1a else ""
        checked["sealed_old_signing_key"] = ""
    if "url" in checked and checked["url"] != endpoint.url:
        refuse_in_sandbox(realm, "call URLs")
        _refuse_to_lead_away(endpoint, checked["url"], changes.get("headers"))
        checked |= {**_without_failures(), "last_problem": "", "is_blocked": False}
    for name, value in checked.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=[*checked])
    if checked.get("is_ordered") is False:
        WebhookDelivery.objects.filter(endpoint=endpoint, state=WebhookDelivery.State.WAITING).update(order_key="")
    note(realm, Action.WEBHOOK_CHANGED, thing_of(endpoint))
    announce_change(realm)
    return endpoint


@transaction.atomic
def remove_endpoint(*, realm: Realm, endpoint_id: int) -> None:
    """Remove an endpoint, with all that is kept of it.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    thing = thing_of(endpoint)
    endpoint.delete()
    note(realm, Action.WEBHOOK_REMOVED, thing)
    announce_change(realm)


@transaction.atomic
def pause_endpoint(*, realm: Realm, endpoint_id: int) -> WebhookEndpoint:
    """Have nothing sent to the endpoint; what happens is kept for it, and waits. Idempotent.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    if endpoint.state != State.PAUSED or endpoint.paused_by != Pause.BY_HAND:
        _stop_by_hand(endpoint, State.PAUSED, Action.WEBHOOK_PAUSED)
    return endpoint


@transaction.atomic
def disable_endpoint(*, realm: Realm, endpoint_id: int) -> WebhookEndpoint:
    """Have nothing sent to the endpoint, and nothing kept for it any more. Idempotent.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    if endpoint.state != State.DISABLED:
        _stop_by_hand(endpoint, State.DISABLED, Action.WEBHOOK_DISABLED)
    return endpoint


def _stop_by_hand(endpoint: WebhookEndpoint, state: WebhookEndpoint.State, action: Action) -> None:
    set_state(endpoint, state, by=Pause.BY_HAND, reason=f"{state.value} by hand")
    note(endpoint.realm, action, thing_of(endpoint))
    if state == State.DISABLED:
        tell_disabled(endpoint, with_mail=False)
    announce_change(endpoint.realm)


@transaction.atomic
def resume_endpoint(*, realm: Realm, endpoint_id: int) -> WebhookEndpoint:
    """Have an endpoint that was paused or disabled called again, at once, with what waits. Idempotent.

    Since when it missed what happened is kept: `history_replays.ask_for_history` can make up for it.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    was_active = endpoint.state == State.ACTIVE
    if endpoint.state == State.DISABLED:
        endpoint.missed_since = endpoint.missed_since or endpoint.state_since
    set_state(endpoint, State.ACTIVE, by=Pause.NOBODY, reason="")
    unburdened = _without_failures()
    for name, value in unburdened.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=[*unburdened, "missed_since"])
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=WebhookDelivery.State.WAITING, claim="")
    waiting.update(due_at=timezone.now())
    announce_webhooks()
    if not was_active:
        note(realm, Action.WEBHOOK_RESUMED, thing_of(endpoint))
        announce_change(realm)
    return endpoint


def _without_failures() -> dict[str, Any]:
    """Return fields of an endpoint that begins anew, whatever failed before."""
    return {
        "failures_in_row": 0, "failing_since": None, "recent_attempts": [], "poor_share": None, "rests_until": None,
        "rests": 0, "warned_at": None, "calls_at_once": ALL.at_once, "calls_per_minute": ALL.per_minute,
    }  # fmt: skip


@transaction.atomic
def rotate_secret(*, realm: Realm, endpoint_id: int, overlap: timedelta = OVERLAP) -> EndpointSecrets:
    """Give the endpoint new secrets. The old ones sign beside them until `overlap` is over; those before are gone.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
        InvalidEndpoint: the overlap is negative, or longer than `MAX_OVERLAP`.
    """
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise InvalidEndpoint("is out of range", cure=f"use 0 to {MAX_OVERLAP.days} days", field="overlap")
    endpoint = lock_endpoint(realm, endpoint_id)
    endpoint.sealed_old_secret = endpoint.sealed_secret if overlap else ""
    endpoint.sealed_old_signing_key = endpoint.sealed_signing_key if overlap else ""
    endpoint.old_until = timezone.now() + overlap if overlap else None
    for name, value in new_sealed_secrets(has_v1a=bool(endpoint.sealed_signing_key)).items():
        setattr(endpoint, name, value)
    endpoint.save(
        update_fields=[
            "sealed_secret", "sealed_signing_key", "sealed_old_secret", "sealed_old_signing_key", "old_until",
        ]
    )  # fmt: skip
    note(realm, Action.WEBHOOK_SECRET_ROTATED, thing_of(endpoint))
    return open_secrets(endpoint)


@transaction.atomic
def reveal_secrets(*, realm: Realm, endpoint_id: int) -> EndpointSecrets:
    """Return the endpoint's secrets, to be shown to whoever may manage the realm; that is noted.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
        SealBroken: they were sealed with a key that is not listed any more.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    note(realm, Action.WEBHOOK_SECRET_SHOWN, thing_of(endpoint))
    return open_secrets(endpoint)


# -- parts that other modules of webhooks use


def add_row(realm: Realm, checked: Mapping[str, Any], *, has_v1a: bool = False) -> WebhookEndpoint:
    """Add an endpoint whose settings are checked. In a transaction; raises `EndpointLimitReached`."""
    lock_realm(realm)
    if WebhookEndpoint.objects.filter(realm=realm, subscription=None).count() >= MAX_ENDPOINTS_PER_REALM:
        raise EndpointLimitReached(MAX_ENDPOINTS_PER_REALM)
    endpoint = WebhookEndpoint.objects.create(realm=realm, **checked, **new_sealed_secrets(has_v1a=has_v1a))
    note(realm, Action.WEBHOOK_ADDED, thing_of(endpoint))
    announce_change(realm)
    return endpoint


def lock_endpoint(realm: Realm, endpoint_id: int) -> WebhookEndpoint:
    """Return an endpoint of the realm, locked until the transaction ends, or raise `EndpointNotFound`."""
    endpoint = WebhookEndpoint.objects.select_for_update().filter(realm=realm, pk=endpoint_id).first()
    if endpoint is None:
        raise EndpointNotFound
    return endpoint


def set_state(
    endpoint: WebhookEndpoint, state: WebhookEndpoint.State, *, by: WebhookEndpoint.Pause, reason: str
) -> None:
    """Store another state and why."""
    endpoint.state, endpoint.paused_by, endpoint.state_reason = state, by, reason
    endpoint.state_since = timezone.now()
    endpoint.save(update_fields=["state", "paused_by", "state_reason", "state_since"])


def new_sealed_secrets(*, has_v1a: bool) -> dict[str, str]:
    """Return fields of an endpoint that hold new secrets."""
    return {"sealed_secret": seal(new_secret()), "sealed_signing_key": seal(new_secret()) if has_v1a else ""}


def open_secrets(endpoint: WebhookEndpoint) -> EndpointSecrets:
    """Return the endpoint's secrets as they are shown."""
    public = show_public_key(open_sealed(endpoint.sealed_signing_key)) if endpoint.sealed_signing_key else ""
    return EndpointSecrets(show_secret(open_sealed(endpoint.sealed_secret)) if endpoint.sealed_secret else "", public)


def thing_of(endpoint: WebhookEndpoint) -> str:
    """Return what the audit log calls the endpoint: its host, since the rest may hold a credential."""
    return f"{endpoint.label or 'endpoint'} {endpoint.pk} → {urlsplit(endpoint.url).hostname}"


# -- checks


def check_settings(
    settings: Mapping[str, Any],  # Any: what a form or JSON gives
    endpoint: WebhookEndpoint | None = None,
) -> dict[str, Any]:
    """Return the settings as they are stored. `endpoint` is the one that they are for, if it is there already.

    Raises:
        InvalidEndpoint, InvalidRequestUrl, InvalidLabel: one can't be used; `field` names it.
    """
    known = (*_CHECKS, "headers")
    unknown = next((name for name in settings if name not in known), None)
    if unknown is not None:
        raise InvalidEndpoint("is no setting of an endpoint", cure=f"use {', '.join(known)}", field=unknown[:80])
    checked = {name: _CHECKS[name](value) for name, value in settings.items() if name != "headers"}
    if "headers" in settings:
        sealed = endpoint.sealed_headers if endpoint else ""
        checked["sealed_headers"] = seal_headers(check_headers(settings["headers"], sealed))
    return checked


def _refuse_to_lead_away(endpoint: WebhookEndpoint, url: str, headers: Mapping[str, str] | None) -> None:
    """Refuse to send hidden headers to another server: whoever may change the URL need not know them."""
    if not endpoint.sealed_headers or urlsplit(url)[:2] == urlsplit(endpoint.url)[:2]:
        return
    if headers is None or CUT in headers.values():
        cure = "write their values anew, or leave them out"
        raise InvalidEndpoint("the headers were meant for another server", cure=cure, field="headers")


def _check_patterns(value: Any) -> list[str]:
    if not value or isinstance(value, str):
        raise InvalidEndpoint("names no channel", cure="list names or prefixes such as orders.*", field="patterns")
    if len(value) > MAX_PATTERNS:
        raise InvalidEndpoint(f"holds {len(value)}", cure=f"use {MAX_PATTERNS} at most", field="patterns")
    parsed = [str(parse_pattern(text, field=f"patterns[{place}]")) for place, text in enumerate(value)]
    return list(dict.fromkeys(parsed))


def _check_events(value: Any) -> list[str]:
    if not value or isinstance(value, str):
        raise InvalidEndpoint("names no event", cure=f"list some of {', '.join(WANTED_KINDS)}", field="events")
    for place, kind in enumerate(value):
        if kind not in WANTED_KINDS:
            cure = f"use {', '.join(WANTED_KINDS)}"
            raise InvalidEndpoint(f"there is no event {str(kind)[:40]!r}", cure=cure, field=f"events[{place}]")
    return [kind for kind in WANTED_KINDS if kind in value]


def _check_format(value: Any) -> str:
    if value not in Format.values:
        raise InvalidEndpoint("is no format", cure=f"use {', '.join(Format.values)}", field="format")
    return str(value)


def _check_timeout(value: Any) -> int:
    least, most = TIMEOUTS_S
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidEndpoint("is out of range", cure=f"use {least} to {most} seconds", field="timeout_s")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {  # Any: what a form or JSON gives, and what is stored
    "url": check_url,
    "patterns": _check_patterns,
    "events": _check_events,
    "format": _check_format,
    "label": clean_label,
    "is_ordered": bool,
    "is_batched": bool,
    "timeout_s": _check_timeout,
}

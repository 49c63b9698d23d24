"""How endpoints do: failures in a row, rests, pauses, and who is told (docs/topics/webhooks.md)."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings

from publishing.models import MAX_CAUSE_CHARACTERS, WebhookEndpoint
from publishing.webhooks.calls import Outcome
from publishing.webhooks.endpoints import set_state, thing_of
from publishing.webhooks.failing import find_poor_share, has_failed_lately, remember_attempt
from publishing.webhooks.log_rules import cut_text
from publishing.webhooks.notices import tell_disabled, tell_of_end, tell_paused
from publishing.webhooks.pace import ALL, Takes
from publishing.webhooks.schedule import SLOWS
from realms.announcements import announce_change
from realms.audit import Action, note

logger = logging.getLogger(__name__)

#: A failing endpoint rests; then one call is tried, and the next rest is longer.
RESTS_S = (5, 15, 60, 120, 240, 480, 960, 1800)
#: Failing for so long without a success: paused, and probed each half hour; its owner warned; disabled.
PAUSED_AFTER = timedelta(hours=24)
WARNED_AFTER = timedelta(hours=96)
DISABLED_AFTER = timedelta(hours=120)
#: The time of the last success is written down this often at most: one row per endpoint must not be the bottleneck.
NOTE_SUCCESS_EVERY = timedelta(seconds=10)

#: Columns that say how an endpoint does.
_HEALTH = (
    "failures_in_row", "failing_since", "last_success_at", "last_failure_at", "last_problem", "rests_until", "rests",
    "warned_at", "released_at", "is_blocked", "recent_attempts", "poor_share",
    "calls_at_once", "calls_per_minute",
)  # fmt: skip

State, Pause = WebhookEndpoint.State, WebhookEndpoint.Pause


def note_outcomes(by_endpoint: Mapping[int, Sequence[Outcome]]) -> None:
    """Know how calls of endpoints went, each one's in the order in which they ended. Blocks; in the caller's
    transaction. One query where all is as well as it was.
    """
    for endpoint in WebhookEndpoint.objects.filter(pk__in=by_endpoint).order_by("pk").only(*_HEALTH, "state"):
        outcomes = by_endpoint[endpoint.pk]
        if not _needs_no_note(endpoint, outcomes):
            _note_all(endpoint.pk, outcomes)


def _note_all(endpoint_id: int, outcomes: Sequence[Outcome]) -> None:
    rows = WebhookEndpoint.objects.select_for_update(of=("self",)).select_related("realm")
    endpoint = rows.filter(pk=endpoint_id).first()
    if endpoint is None:
        return  # removed meanwhile
    for outcome in outcomes:
        if outcome.verdict.is_delivered:
            _note_success(endpoint, outcome.ended_at)
        else:
            _note_failure(endpoint, outcome)
    endpoint.save(update_fields=_HEALTH)
    _follow(endpoint, outcomes, outcomes[-1].ended_at)


def _needs_no_note(endpoint: WebhookEndpoint, outcomes: Sequence[Outcome]) -> bool:
    """Return whether all is as well as it was."""
    now = outcomes[-1].ended_at
    is_well = not endpoint.recent_attempts and not endpoint.failures_in_row and not endpoint.rests
    is_well = is_well and endpoint.state == State.ACTIVE and endpoint.takes == ALL
    is_noted = endpoint.last_success_at is not None and endpoint.last_success_at > now - NOTE_SUCCESS_EVERY
    return is_well and is_noted and all(outcome.verdict.is_delivered for outcome in outcomes)


def _note_success(endpoint: WebhookEndpoint, at: datetime) -> None:
    was_failing = bool(endpoint.failing_cause)  # one success ends that: what was before does not count any more
    endpoint.recent_attempts = [] if was_failing else remember_attempt(endpoint.recent_attempts, at, is_good=True)
    endpoint.poor_share = None
    endpoint.failures_in_row, endpoint.failing_since, endpoint.last_success_at = 0, None, at
    if endpoint.rests:
        endpoint.released_at = at
    endpoint.rests_until, endpoint.rests, endpoint.warned_at = None, 0, None
    endpoint.is_blocked = False
    _set_takes(endpoint, endpoint.takes.faster())


def _note_failure(endpoint: WebhookEndpoint, outcome: Outcome) -> None:
    endpoint.failures_in_row += 1
    endpoint.failing_since = endpoint.failing_since or outcome.ended_at
    endpoint.last_failure_at = outcome.ended_at
    endpoint.recent_attempts = remember_attempt(endpoint.recent_attempts, outcome.ended_at, is_good=False)
    if (share := find_poor_share(endpoint.recent_attempts)) is not None:
        endpoint.poor_share = share
    if outcome.verdict.status in SLOWS:
        _set_takes(endpoint, endpoint.takes.slower(failures_in_row=endpoint.failures_in_row))
    endpoint.is_blocked = outcome.verdict.cause == "blocked"
    problem = cut_text(outcome.verdict.message, outcome.call.destination.headers)
    endpoint.last_problem = problem[:MAX_CAUSE_CHARACTERS]


def _set_takes(endpoint: WebhookEndpoint, takes: Takes) -> None:
    endpoint.calls_at_once, endpoint.calls_per_minute = takes.at_once, takes.per_minute


def _follow(endpoint: WebhookEndpoint, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Let the endpoint rest, pause it, disable it, or take it up again."""
    if any(outcome.verdict.is_gone for outcome in outcomes):
        _disable(endpoint, Pause.GONE, "it answered 410: it wants no more")
    elif not endpoint.failures_in_row:
        if endpoint.state == State.PAUSED and endpoint.paused_by == Pause.FAILING:
            set_state(endpoint, State.ACTIVE, by=Pause.NOBODY, reason="")
            note(endpoint.realm, Action.WEBHOOK_RESUMED, thing_of(endpoint))
    else:
        _follow_failure(endpoint, now)
        if endpoint.rests or endpoint.state == State.PAUSED or _is_to_rest(endpoint):
            _rest(endpoint, outcomes, now)


def _is_to_rest(endpoint: WebhookEndpoint) -> bool:
    """Return whether a first rest is due: the endpoint is failing, and its newest attempts failed within minutes."""
    return bool(endpoint.failing_cause) and has_failed_lately(endpoint.recent_attempts)


def _follow_failure(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Pause or disable an endpoint that has failed for long, however few calls that were."""
    failing_for = now - (endpoint.failing_since or now)
    if failing_for >= DISABLED_AFTER:
        _disable(endpoint, Pause.FAILING, _say_failed(endpoint, f"for {DISABLED_AFTER.days} days"))
    elif failing_for >= PAUSED_AFTER and endpoint.state == State.ACTIVE:
        _pause(endpoint)
    elif failing_for >= WARNED_AFTER and endpoint.warned_at is None:
        endpoint.warned_at = now
        endpoint.save(update_fields=["warned_at"])
        tell_of_end(endpoint, _say_failed(endpoint, "for days"), now - failing_for + DISABLED_AFTER)


def _say_failed(endpoint: WebhookEndpoint, how_long: str) -> str:
    """Return since when and why an endpoint fails, in words."""
    cause = f" ({endpoint.failing_cause})" if endpoint.failing_cause else ""
    return f"it has failed {how_long}{cause}: {endpoint.last_problem}"


def _rest(endpoint: WebhookEndpoint, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Let the endpoint rest, each time longer; calls that were under way when a rest began change nothing."""
    if endpoint.rests and not any(outcome.call.destination.is_probed for outcome in outcomes):
        return
    rest_s = RESTS_S[min(endpoint.rests, len(RESTS_S) - 1)] * settings.WEBHOOK_DELAY_FACTOR
    endpoint.rests += 1
    endpoint.rests_until = now + timedelta(seconds=rest_s)
    endpoint.save(update_fields=["rests", "rests_until"])
    logger.info("webhook_endpoint_rests", extra={"endpoint": endpoint.pk, "rest_s": rest_s})


def _pause(endpoint: WebhookEndpoint) -> None:
    reason = _say_failed(endpoint, "for a day")[:MAX_CAUSE_CHARACTERS]
    set_state(endpoint, State.PAUSED, by=Pause.FAILING, reason=reason)
    note(endpoint.realm, Action.WEBHOOK_PAUSED, thing_of(endpoint))
    tell_paused(endpoint)


def _disable(endpoint: WebhookEndpoint, by: WebhookEndpoint.Pause, reason: str) -> None:
    if endpoint.state == State.DISABLED:
        return
    set_state(endpoint, State.DISABLED, by=by, reason=reason[:MAX_CAUSE_CHARACTERS])
    note(endpoint.realm, Action.WEBHOOK_DISABLED, thing_of(endpoint))
    announce_change(endpoint.realm)
    tell_disabled(endpoint, with_mail=True)

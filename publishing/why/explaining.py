"""Asking why: all processes for what they recorded, the database for keys and webhooks; then what follows from it."""

import asyncio
import time
from dataclasses import replace

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.flight import PublishedItem, Refusal
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.reads import DeliveryReads
from fanoutcloud.core.why import Account, Accounts
from publishing.apps import DeliveryPlane
from publishing.webhooks.selectors import list_endpoints
from publishing.why.answers import Answer, Finding, ItemStory
from publishing.why.findings import (
    choose_refusals,
    find_in_channel,
    find_in_items,
    find_in_moments,
    find_in_published,
    find_in_refusals,
    in_order,
    tell_items,
)
from publishing.why.texts import REFUSED
from publishing.why.timeline import tell_timeline
from realms.models import Realm
from realms.selectors import find_revoked_key

KINDS = ("message", "channel", "user", "connection")
MAX_ABOUT_CHARACTERS = 512


def explain(plane: DeliveryPlane, realm: Realm, *, about: str, kind: str = "") -> Answer:
    """Return what happened to a message (its id or position), a channel, a user or a connection, as far as is known.

    Without `kind`, it is whichever of them exists. Blocks for a fraction of a second: not for an event loop.

    Raises:
        InvalidRequest: nothing is asked about.
        Unavailable: the delivery plane does not answer.
    """
    if not about.strip() or len(about) > MAX_ABOUT_CHARACTERS:
        cure = "give the id or position of a message, a channel, a user, or a connection"
        raise InvalidRequest("it is not said about what", cure=cure, field="about")
    kinds = (kind,) if kind else KINDS
    asked = plane.door.run(_ask(plane.reads, RealmId(realm.pk), about, kinds))
    chosen = kind or _choose(about, asked)
    accounts, findings = asked[chosen], _webhooks_of(realm)
    answer = _make_answer(about, chosen, accounts, findings)
    return replace(answer, findings=in_order(_name_revoked_keys(realm, answer.findings)))


async def _ask(reads: DeliveryReads, realm: RealmId, about: str, kinds: tuple[str, ...]) -> dict[str, Accounts]:
    found = await asyncio.gather(*(reads.accounts(realm, kind, about) for kind in kinds))
    return dict(zip(kinds, found, strict=True))


def _refused_of(about: str, parts: list[Account]) -> list[Refusal]:
    """Return the refusals of publishes that named this id."""
    return [refusal for part in parts for refusal in part.refusals if about in refusal.ids]


def _choose(about: str, asked: dict[str, Accounts]) -> str:
    """Return what the text names: what is known by it, or else a channel, whose name may be mistaken."""
    parts = asked["message"].parts
    if any(part.items or part.published for part in parts) or _refused_of(about, parts):
        return "message"
    for kind in ("connection", "user"):
        if any(part.moments for part in asked[kind].parts):
            return kind
    return "channel"


def _make_answer(about: str, kind: str, accounts: Accounts, webhooks: list[Finding]) -> Answer:
    parts = accounts.parts
    items = tell_items(parts)
    published = sorted((one for part in parts for one in part.published), key=lambda one: one.at)
    moments = sorted((one for part in parts for one in part.moments), key=lambda one: one.at)
    findings = [*find_in_items(items), *find_in_published(published)]
    findings += find_in_moments(moments)
    refusals = choose_refusals(parts, sides=_SIDES[kind], **({kind: about} if kind in ("channel", "user") else {}))
    if kind == "channel":
        findings += find_in_channel(about, parts, published)
    elif kind == "message":
        # Once it was accepted, what was refused before does not matter any more.
        of_it = [] if items or published else _refused_of(about, parts)
        findings += [] if of_it else _of_message(about, items, published)
        refusals = of_it if of_it or items or published else refusals
    elif not moments:
        findings.append(_UNKNOWN[kind](about))
    findings += find_in_refusals(about, refusals)
    findings += webhooks if kind in ("channel", "message") else []
    ordered = in_order(findings)
    return Answer(
        about=about,
        kind=kind,
        summary=_summarise(kind, about, ordered),
        findings=ordered,
        items=items,
        timeline=tell_timeline(parts, published, moments, refusals),
        exact_since=max((part.exact_since for part in parts), default=time.time()),
        sampled_since=max((part.sampled_since for part in parts), default=time.time()),
        sample_every=max((part.sample_every for part in parts), default=1),
        missing=accounts.missing,
    )


def _of_message(about: str, items: list[ItemStory], published: list[PublishedItem]) -> list[Finding]:
    if items:
        return []
    return [_nobody_had_it(published) if published else _unknown_message(about)]


def _unknown_message(about: str) -> Finding:
    return Finding(
        "unknown_message", "fault", "No such message is known",
        f"nothing with the id or position {about!r} was accepted while records reach, or it has expired since",
        "look at the refused attempts below; ids are compared exactly, and records are kept for 15 minutes at most",
    )  # fmt: skip


def _nobody_had_it(published: list[PublishedItem]) -> Finding:
    channel = published[-1].channel
    return Finding(
        "nobody_subscribed", "fault", "Nobody was subscribed",
        f"it was stored in {channel!r}, and no connection had that channel",
        f"ask about the channel {channel!r}: its name may be mistaken on one side",
        where=channel,
    )  # fmt: skip


def _unknown_user(about: str) -> Finding:
    return Finding(
        "user_unknown", "fault", "This user has not been here",
        f"no connection of {about!r} is open, nor has one been while records reach",
        "check the claim 'sub' of the token, and that the client connects to this realm; refused attempts are listed",
    )  # fmt: skip


def _unknown_connection(about: str) -> Finding:
    return Finding(
        "connection_unknown", "fault", "No such connection is known",
        f"no connection {about!r} is open, nor has one been while records reach",
        "the connection inspector lists those that are open",
    )  # fmt: skip


#: Whose refusals may be the cause.
_SIDES = {
    "channel": ("publish", "subscribe", "origin"),
    "message": ("publish",),
    "user": ("subscribe",),
    "connection": ("subscribe",),
}
_UNKNOWN = {"user": _unknown_user, "connection": _unknown_connection}


def _summarise(kind: str, about: str, findings: list[Finding]) -> str:
    faults = [finding for finding in findings if finding.severity == "fault"]
    if faults:
        others = len(faults) - 1
        more = f" There {'is one more cause' if others == 1 else f'are {others} more causes'}." if others else ""
        return f"{_told(faults[0])}{more}"
    if any(finding.code == "delivered" for finding in findings):
        return f"Nothing is wrong with the {kind} {about!r}, as far as this server can see."
    return _told(findings[0]) if findings else f"Nothing is known of the {kind} {about!r}."


def _told(finding: Finding) -> str:
    """Return title and cause as a sentence, or two where the title is a question."""
    if finding.title.endswith("?"):
        return f"{finding.title} {finding.cause[:1].upper()}{finding.cause[1:]}."
    return f"{finding.title}: {finding.cause}."


def _name_revoked_keys(realm: Realm, findings: list[Finding]) -> list[Finding]:
    """Say of wrong keys that were right once when they ceased to be."""
    named = []
    for finding in findings:
        hint = finding.where.partition("key …")[2].partition(",")[0]
        revoked = find_revoked_key(realm, hint) if finding.code == "wrong_key" and hint else None
        if revoked is not None and revoked.revoked_at is not None:
            cause = f"the key …{hint} was revoked on {revoked.revoked_at:%d %B %Y at %H:%M} UTC"
            cure = "give the publisher a live key of the realm, and restart it"
            finding = replace(finding, code="key_revoked", title=REFUSED["key_revoked"], cause=cause, cure=cure)
        named.append(finding)
    return named


def _webhooks_of(realm: Realm) -> list[Finding]:
    """Return the realm's webhook endpoints that fail or do not call."""
    found = []
    for endpoint in list_endpoints(realm, with_compatible=True)[:50]:
        name = endpoint.label or endpoint.url
        last_at = endpoint.last_failure_at.timestamp() if endpoint.last_failure_at else 0.0
        if endpoint.state != endpoint.State.ACTIVE:
            cause = f"{name} is {endpoint.state}{f': {endpoint.state_reason}' if endpoint.state_reason else ''}"
            severity = "notice" if endpoint.paused_by == endpoint.Pause.BY_HAND else "fault"
            found.append(Finding("webhook_stopped", severity, "A webhook is not called", cause,
                                 "turn it on again on the webhooks page", 1, last_at, last_at, name,
                                 is_beside=True))  # fmt: skip
        elif endpoint.failures_in_row:
            how = endpoint.failing_cause or f"it failed {endpoint.failures_in_row} times in a row"
            cause = f"{name}: {how}: {endpoint.last_problem}"
            found.append(Finding("webhook_failing", "fault", "A webhook's target fails", cause,
                                 "mend the target; deliveries are repeated, and can be replayed",
                                 endpoint.failures_in_row, last_at, last_at, name, is_beside=True))  # fmt: skip
    return found

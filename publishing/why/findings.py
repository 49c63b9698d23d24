"""From what processes recorded to what is wrong and how to mend it. Pure."""

from collections import Counter
from collections.abc import Iterable

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.flight import Moment, PublishedItem, Refusal, format_names
from fanoutcloud.core.why import Account
from publishing.why.answers import SEVERITIES, Finding, ItemStory
from publishing.why.texts import CLOSED, NEAR, OUTCOMES, REFUSED

MAX_FINDINGS = 30
MAX_RECIPIENTS = 50
_REASONS = {reason.reason: reason for reason in CloseReason}


def tell_items(parts: Iterable[Account]) -> list[ItemStory]:
    """Return each item once, with what became of it over all processes, the newest first."""
    stories: dict[tuple[str, str], ItemStory] = {}
    for part in parts:
        for told in part.items:
            seen = told.item
            name = seen.channel, seen.position
            story = stories.get(name)
            if story is None:
                story = ItemStory(
                    seen.channel, seen.position, seen.id or "", seen.at, format_names(seen.formats), {}, []
                )
            outcomes = Counter(story.outcomes) + Counter(told.counts)
            stories[name] = ItemStory(
                story.channel, story.position, story.id, min(story.at, seen.at), story.formats, dict(outcomes),
                [*story.recipients, *told.recipients][:MAX_RECIPIENTS],
                story.members + told.members, story.looked_at + told.looked_at,
            )  # fmt: skip
    return sorted(stories.values(), key=lambda story: story.at, reverse=True)


def find_in_items(items: list[ItemStory]) -> list[Finding]:
    """Return what kept recipients from items: one finding per outcome, over all the items."""
    totals = sum((Counter(story.outcomes) for story in items), Counter[str]())
    found = [_of_outcome(outcome, totals[outcome], items) for outcome in OUTCOMES if totals[outcome]]
    if found or not totals:
        return found
    sent = totals.total()
    cause = f"all {sent} deliveries of these items went to the connections that had the channel"
    return [Finding("delivered", "fine", "It was delivered", cause, count=sent)]


def _of_outcome(outcome: str, count: int, items: list[ItemStory]) -> Finding:
    text = OUTCOMES[outcome]
    concerned = [story for story in items if outcome in story.outcomes]
    shown = [one for story in concerned for one in story.recipients if one.outcome == outcome]
    cause = text.cause.format(
        n=_people(count),
        formats=_join({name for story in concerned for name in story.formats}) or "nothing",
        transports=_join({one.transport for one in shown}),
    )
    details = _join({one.detail for one in shown if one.detail})
    if outcome == "filtered" and details:
        cause += f" ({details})"
    times = [story.at for story in concerned]
    where = _join({one.connection for one in shown[:3]})
    return Finding(outcome, text.severity, text.title, cause, text.cure, count, min(times), max(times), where)


def choose_refusals(
    parts: Iterable[Account], *, sides: Iterable[str], channel: str = "", user: str = ""
) -> list[Refusal]:
    """Return refusals of these sides that may have to do with a channel or user: those that name no other."""
    return [
        refusal
        for part in parts
        for refusal in part.refusals
        if refusal.side in sides
        and (not channel or refusal.channel in ("", channel))
        and (not user or refusal.user in ("", user))
    ]


def find_in_refusals(about: str, refusals: Iterable[Refusal]) -> list[Finding]:
    """Return refusals as findings, alike ones of several processes together."""
    merged: dict[tuple[str, ...], Finding] = {}
    for refusal in refusals:
        finding = _refused(refusal, is_beside=about not in (refusal.channel, refusal.user, *refusal.ids))
        name = (finding.code, finding.where, finding.cause)
        known = merged.get(name)
        merged[name] = finding if known is None else _join_findings(known, finding)
    return list(merged.values())


def _refused(refusal: Refusal, *, is_beside: bool) -> Finding:
    title = REFUSED.get(refusal.code, "A request was turned away")
    who = [
        f"key {refusal.key}" if refusal.key else "",
        f"origin {refusal.origin}" if refusal.origin else "",
        f"from {refusal.address}" if refusal.address else "",
    ]
    return Finding(
        refusal.code, "fault", title, f"{refusal.message} ({refusal.status})", refusal.cure, refusal.count,
        refusal.first_at, refusal.last_at, where=", ".join(part for part in who if part), is_beside=is_beside,
    )  # fmt: skip


def _join_findings(one: Finding, other: Finding) -> Finding:
    newer = one if one.last_at >= other.last_at else other
    return Finding(
        newer.code, newer.severity, newer.title, newer.cause, newer.cure, one.count + other.count,
        min(one.first_at, other.first_at), newer.last_at, newer.where, one.is_beside and other.is_beside,
    )  # fmt: skip


def find_in_published(published: list[PublishedItem]) -> list[Finding]:
    """Return what became of accepted items that were not simply stored."""
    found = []
    doubles = [one for one in published if one.outcome == "duplicate"]
    if doubles:
        cause = f"the id {doubles[-1].id!r} was published before, within 60 s; the first one's result was answered"
        found.append(_of_published("deduplicated", doubles, "A repetition was not delivered again", cause,
                                   "give each item an id of its own, or none"))  # fmt: skip
    waiting = [one for one in published if one.outcome == "waiting"]
    if waiting:
        cause = f"it names prev-id {waiting[-1].prev_id!r}, which had not come; it waits a moment, then goes out"
        cure = "publish in order, and set prev-id to the id of the item before"
        found.append(_of_published("waiting_for_prev", waiting, "An item waited for the one before it", cause, cure))
    return found


def _of_published(code: str, items: list[PublishedItem], title: str, cause: str, cure: str) -> Finding:
    return Finding(code, "fault", title, cause, cure, len(items), items[0].at, items[-1].at, where=items[-1].via)


def find_in_channel(about: str, parts: list[Account], published: list[PublishedItem]) -> list[Finding]:
    """Return whether anybody listens, whether anything came, and names that may have been meant."""
    subscribers = sum(sum(part.by_transport.values()) for part in parts)
    near: dict[str, tuple[int, str]] = {}
    for name in (name for part in parts for name in part.near):
        near[name.channel] = near.get(name.channel, (0, ""))[0] + name.subscribers, name.how
    found = []
    if not subscribers or not published:
        found += [_near(about, other, count, how) for other, (count, how) in near.items()]
    if not found and "*" in about:
        code, cause, cure = NEAR["wildcard"]
        found.append(Finding(code, "fault", f"“{about}” is no pattern here", cause, cure))
    if not subscribers:
        cause = f"no connection has the channel {about!r} now"
        severity = "fault" if published and not found else "notice"
        cure = "check the name on the subscriber's side, and that it is connected to this realm"
        # As little as a refusal of these minutes does it say why: whoever was to subscribe may have been refused.
        found.append(Finding("nobody_subscribed", severity, "Nobody is subscribed", cause, cure, is_beside=True))
    if not published:
        cause = f"no item for {about!r} was accepted while records reach"
        cure = "check the channel's name and the realm on the publisher's side; refused attempts are listed here"
        found.append(Finding("nothing_published", "notice", "Nothing was published", cause, cure))
    return found


def _near(about: str, other: str, subscribers: int, how: str) -> Finding:
    code, cause, cure = NEAR[how]
    has = f"it has {subscribers} subscriber{'' if subscribers == 1 else 's'}" if subscribers else "items come there"
    return Finding(code, "fault", f"Did you mean “{other}”?", f"{has}; {cause}", cure, where=other)


def find_in_moments(moments: Iterable[Moment]) -> list[Finding]:
    """Return how connections ended, and where history did not reach back far enough."""
    ends: dict[str, list[Moment]] = {}
    resets: list[Moment] = []
    for moment in moments:
        if moment.kind == "closed" and moment.detail in CLOSED:
            ends.setdefault(moment.detail, []).append(moment)
        elif moment.kind == "reset":
            resets.append(moment)
    found = [_find_closed(reason, group) for reason, group in ends.items()]
    return [*found, _find_reset(resets)] if resets else found


def _find_closed(reason: str, ends: list[Moment]) -> Finding:
    severity, cure = CLOSED[reason]
    return Finding(
        f"closed_{reason}",
        severity,
        f"A connection was closed: {reason.replace('_', ' ')}",
        _REASONS[reason].text,
        cure,
        len(ends),
        ends[0].at,
        ends[-1].at,
        _join({moment.connection for moment in ends[-3:]}),
    )


def _find_reset(resets: list[Moment]) -> Finding:
    text = OUTCOMES["history_too_short"]
    cause = text.cause.format(n=_people(len(resets)))
    return Finding(
        "history_too_short",
        text.severity,
        text.title,
        f"{cause} ({resets[-1].detail})",
        text.cure,
        len(resets),
        resets[0].at,
        resets[-1].at,
        where=resets[-1].connection,
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return each once: faults first, of these what is about the very thing that was asked for, the newest first."""
    once: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        once.setdefault((finding.code, finding.where, finding.cause), finding)
    ranked = sorted(once.values(), key=lambda one: (SEVERITIES.index(one.severity), one.is_beside, -one.last_at))
    return ranked[:MAX_FINDINGS]


def _people(count: int) -> str:
    return f"{count:,} recipient{'' if count == 1 else 's'}"


def _join(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:5])

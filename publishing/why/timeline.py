"""What happened, line by line, the newest first."""

from collections.abc import Iterable

from fanoutcloud.core.flight import Moment, PublishedItem, Refusal
from fanoutcloud.core.why import OUTCOMES, Account, ItemAccount
from publishing.why.answers import Event
from publishing.why.texts import REFUSED

MAX_EVENTS = 60

_DEEDS = {
    "opened": "connected",
    "joined": "subscribed to",
    "left": "unsubscribed from",
    "reset": "was told that items were lost in",
    "closed": "was closed",
}


def tell_timeline(
    parts: list[Account], published: Iterable[PublishedItem], moments: Iterable[Moment], refusals: Iterable[Refusal]
) -> list[Event]:
    """Return a line for each record."""
    events = [_accepted(one) for one in published]
    events += [_went_out(told) for part in parts for told in part.items]
    events += [_refused(one) for one in refusals]
    events += [_moment(one) for one in moments]
    return sorted(events, key=lambda event: event.at, reverse=True)[:MAX_EVENTS]


def _accepted(one: PublishedItem) -> Event:
    key = f" with key {one.key}" if one.key else ""
    detail = f"{one.size_bytes} bytes, {', '.join(one.formats)}, by {one.via}{key}"
    return Event(one.at, one.outcome, f"{one.id or one.position or 'an item'} was accepted for {one.channel}", detail)


def _went_out(told: ItemAccount) -> Event:
    seen = told.item
    outcomes = "; ".join(f"{count}: {OUTCOMES.get(name, name)}" for name, count in sorted(told.counts.items()))
    return Event(seen.at, "delivered", f"{seen.id or seen.position} went out on {seen.channel}", outcomes)


def _refused(one: Refusal) -> Event:
    times = f", {one.count} times" if one.count > 1 else ""
    return Event(one.last_at, "refused", REFUSED.get(one.code, one.code), f"{one.message}{times}")


def _moment(one: Moment) -> Event:
    who = f"{one.user or 'somebody'} ({one.transport}, {one.connection})"
    detail = f"from {one.detail}" if one.kind == "joined" and one.detail else one.detail.replace("_", " ")
    return Event(one.at, one.kind, f"{who} {_DEEDS.get(one.kind, one.kind)} {one.channel}".strip(), detail)

"""One process's part of an account of what happened: found in the flight recorder and the hub (`core.why`)."""

from collections.abc import Iterable
from itertools import islice

from fanoutcloud.core.flight import (
    MAX_AGE_S,
    MAX_ITEMS,
    SAMPLE_EVERY,
    FlightRecorder,
    Moment,
    PublishedItem,
    RealmFlight,
    SeenItem,
)
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.near_names import find_near
from fanoutcloud.core.why import Account, ItemAccount, NearName
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.reporting.outcomes import Concerns, History, account_for, everybody

MAX_ITEMS_TOLD = 10
MAX_PUBLISHED_TOLD = 30
MAX_REFUSALS_TOLD = 60
MAX_MOMENTS_TOLD = 60
MAX_NEAR_TOLD = 6
#: Names that are looked through for one that was meant.
MAX_NAMES_LOOKED_AT = 5000


class Accounting:
    """Answers for one hub and its recorder."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def account(self, edge: str, realm: RealmId, kind: str, about: str) -> Account:
        """Return what is known here about a message (its id or position), a channel, a user, or a connection."""
        flight, now = self._hub.ledger.flight, self._hub.clock.now()
        log = flight.find(realm) or RealmFlight()
        oldest = now - MAX_AGE_S
        moments = [one for one in log.moments if one.at >= oldest]
        items, published = self._find_items(log, oldest, realm, kind, about), _find_published(log, oldest, kind, about)
        exact_since, sampled_since = _reach(flight, log, oldest)
        return Account(
            edge=edge,
            now=now,
            exact_since=exact_since,
            sampled_since=sampled_since,
            sample_every=SAMPLE_EVERY,
            items=[self._account_item(realm, seen, moments, _concerns(kind, about)) for seen in items],
            published=published,
            refusals=[one for one in reversed(log.refusals.values()) if one.last_at >= oldest][:MAX_REFUSALS_TOLD],
            moments=_find_moments(moments, kind, about),
            by_transport=self._count(realm, about) if kind == "channel" else {},
            near=self._find_near(realm, log, about) if kind == "channel" else [],
        )

    # -- items

    def _find_items(self, log: RealmFlight, oldest: float, realm: RealmId, kind: str, about: str) -> list[SeenItem]:
        newest = log.items_since(oldest)
        match kind:
            case "message":
                found = [one for one in newest if one.id == about or one.position == about]
            case "channel":
                found = [one for one in newest if one.channel == about]
            case _:
                channels: set[str] = {name for one in self._find_live(realm, kind, about) for name in one.channels}
                channels |= _channels_of(log.moments, kind, about)
                found = [one for one in newest if one.channel in channels]
        return found[-MAX_ITEMS_TOLD:]

    def _account_item(self, realm: RealmId, seen: SeenItem, moments: list[Moment], concerns: Concerns) -> ItemAccount:
        local = self._hub.index.channels_of(realm).get(seen.channel)
        return account_for(seen, local, History(seen.channel, moments), concerns)

    # -- connections and channels

    def _find_live(self, realm: RealmId, kind: str, about: str) -> Iterable[Subscriber]:
        index = self._hub.index
        if kind == "user":
            return index.of_user(realm, about)
        if kind == "connection":
            return (one for one in index.of_realm(realm) if one.connection == about)
        local = index.channels_of(realm).get(ChannelName(about)) if kind == "channel" else None
        return () if local is None else [*local.live_subscribers(), *local.joining]

    def _count(self, realm: RealmId, about: str) -> dict[str, int]:
        local = self._hub.index.channels_of(realm).get(ChannelName(about))
        if local is None:
            return {}
        counts = local.count_by_transport()
        counts.update(one.wire.transport for one in [*local.joining, *local.ahead])
        return dict(counts)

    def _find_near(self, realm: RealmId, log: RealmFlight, about: str) -> list[NearName]:
        channels = self._hub.index.channels_of(realm)
        published = {one[2].channel for one in log.published}
        names = islice(dict.fromkeys([*channels, *published]), MAX_NAMES_LOOKED_AT)
        near = find_near(about, names)[:MAX_NEAR_TOLD]
        return [NearName(name, sum(self._count(realm, name).values()), how) for name, how in near]


def _concerns(kind: str, about: str) -> Concerns:
    if kind == "user":
        return lambda connection, user: user == about
    if kind == "connection":
        return lambda connection, user: connection == about
    return everybody


def _find_published(log: RealmFlight, oldest: float, kind: str, about: str) -> list[PublishedItem]:
    newest = log.published_since(oldest)
    if kind == "message":
        newest = [one for one in newest if about in (one.id, one.position, one.prev_id)]
    elif kind == "channel":
        newest = [one for one in newest if one.channel == about]
    else:
        newest = []
    return newest[-MAX_PUBLISHED_TOLD:]


def _find_moments(moments: list[Moment], kind: str, about: str) -> list[Moment]:
    match kind:
        case "channel":
            found = [one for one in moments if one.is_of(about)]
        case "user":
            found = [one for one in moments if one.user == about]
        case "connection":
            found = [one for one in moments if one.connection == about]
        case _:
            found = []
    return found[-MAX_MOMENTS_TOLD:]


def _channels_of(moments: Iterable[Moment], kind: str, about: str) -> set[str]:
    whose = [one for one in moments if about == (one.user if kind == "user" else one.connection)]
    return {one.channel for one in whose if one.channel} | {name for one in whose for name in one.channels}


def _reach(flight: FlightRecorder, log: RealmFlight, oldest: float) -> tuple[float, float]:
    """Return since when records of items are exact, and since when there is a sample of them."""
    began = max(flight.began_at, oldest)
    if len(log.items) < MAX_ITEMS:
        return began, began
    exact = max(began, log.items[0][1])
    sampled = min(exact, max(began, log.sampled[0][1])) if log.sampled else exact
    return exact, sampled

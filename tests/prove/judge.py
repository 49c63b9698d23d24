"""Judges the log of a run against what docs/api promises: nothing lost, nothing twice, nothing out of order.

Pure functions over events. The promises, each by the name that a violation of it has:

lost          an acknowledged item, or one that others got, did not reach a subscriber of its channel
gap           an item came whose offset is not the next one: positions rise by one within an epoch
repeated      an item came that the subscriber had already, or an item was stored twice
reordered     items of one writer came in another order than it published them
unpublished   an item came that nobody published, or with another's content
disagreement  one position named two items
not resumed   a position was sent back, and the stream went on elsewhere
reset         a reset, where nothing could have been lost
refused       a sound request was answered as a wrong one
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.prove.log import (
    Acknowledged,
    Attempted,
    Began,
    Ended,
    Event,
    Moved,
    OrderUnknown,
    Place,
    Received,
    Refused,
    Reset,
    Subscribed,
)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise. `at` is when it showed; subscriber, channel and ids name what evidence to look for."""

    promise: str
    at: float
    text: str
    subscriber: str = ""
    channel: str = ""
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Publication:
    """What publishers know of an item."""

    first: Attempted
    acknowledged_at: float | None = None


@dataclass(slots=True)
class Truth:
    """What was published, and which item is where, as all subscribers together saw it."""

    publications: dict[str, Publication] = field(default_factory=dict)
    by_channel: dict[str, list[Publication]] = field(default_factory=lambda: defaultdict(list))
    ids: dict[tuple[str, Place], str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    loose: dict[tuple[str, str], dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def rank(self, item: Attempted) -> int:
        """Return a number that must not fall within what one writer publishes to one channel."""
        return self.loose[item.channel, item.writer].get(item.number, item.number)

    def is_silent(self, channel: str, place: Place) -> bool:
        """Whether a long-poll may pass over what is at this place."""
        publication = self.publications.get(self.ids.get((channel, place), ""))
        return publication is not None and publication.first.is_for_streams_only

    def may_be_silent(self, channel: str, place: Place, at: float) -> bool:
        """Whether nobody saw this place, and it may hold an item that everybody there passed over, being polls."""
        if (channel, place) in self.ids:
            return False
        unseen = (one.first for one in self.by_channel[channel] if one.first.id not in self.places)
        return any(item.is_for_streams_only and item.at <= at for item in unseen)


def judge(events: Sequence[Event], *, resets_allowed: bool = False) -> list[Violation]:
    """Return every broken promise, by time.

    `resets_allowed`: Redis may have lost what it had. Then a reset must tell of each loss, and what came in one epoch
    may come again in another, since the ids that were seen are lost, too.
    """
    truth = gather(events)
    found = [Violation("refused", e.at, f"{e.who}: {e.why}") for e in events if isinstance(e, Refused)]
    found += judge_places(events, resets_allowed=resets_allowed)
    for (subscriber, channel), own in by_subscription(events).items():
        reader = _Reader(subscriber, channel, truth, resets_allowed=resets_allowed)
        for event in own:
            reader.take(event)
        reader.end()
        found += reader.found
    return sorted(found, key=lambda violation: violation.at)


def gather(events: Iterable[Event]) -> Truth:
    """Return what was published and where it was seen first."""
    truth = Truth()
    for event in events:
        match event:
            case Attempted() if event.id not in truth.publications:
                publication = truth.publications[event.id] = Publication(event)
                truth.by_channel[event.channel].append(publication)
            case Acknowledged():
                publication = truth.publications[event.id]
                if publication.acknowledged_at is None:
                    publication.acknowledged_at = event.at
            case OrderUnknown():
                group = dict.fromkeys(range(event.first, event.last + 1), event.first)
                truth.loose[event.channel, event.writer].update(group)
            case Received() if event.id is not None:
                truth.ids.setdefault((event.channel, event.place), event.id)
                truth.places.setdefault(event.id, event.place)
    return truth


def judge_places(events: Iterable[Event], *, resets_allowed: bool = False) -> list[Violation]:
    """Return where one place named two items, and where one item was at two places; each once."""
    found: list[Violation] = []
    first_at: dict[tuple[str, Place], Received] = {}
    first_of: dict[tuple[str, str], Received] = {}
    told: set[object] = set()
    for event in events:
        if not isinstance(event, Received) or event.id is None:
            continue
        key, life = (event.channel, event.place), event.place.epoch if resets_allowed else ""
        here, other = first_at.setdefault(key, event), first_of.setdefault((event.id, life), event)
        if here.id != event.id and key not in told:
            told.add(key)
            text = (
                f"{event.place} was {here.id} for {here.subscriber} at {here.at:.3f}, {event.id} for {event.subscriber}"
            )
            ids = (str(here.id), event.id)
            found.append(Violation("disagreement", event.at, text, event.subscriber, event.channel, ids))
        if other.place != event.place and event.id not in told:
            told.add(event.id)
            before = f"{other.place} for {other.subscriber} at {other.at:.3f}"
            text = f"{event.id} was stored twice: {before}, now {event.place}"
            found.append(Violation("repeated", event.at, text, event.subscriber, event.channel, (event.id,)))
    return found


def by_subscription(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    """Return what happened to each subscriber in each of its channels."""
    channels: dict[str, dict[str, None]] = defaultdict(dict)
    own: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        match event:
            case Began():
                channels[event.subscriber].update(dict.fromkeys(event.since))
                own[event.subscriber].append(event)
            case Ended():
                own[event.subscriber].append(event)
            case Subscribed() | Received() | Moved() | Reset():
                channels[event.subscriber][event.channel] = None
                own[event.subscriber].append(event)
    return {
        (subscriber, channel): [e for e in own[subscriber] if getattr(e, "channel", channel) == channel]
        for subscriber, names in channels.items()
        for channel in names
    }


class _Reader:
    """One subscriber in one channel: walks over its events, and compares each with the one before."""

    def __init__(self, subscriber: str, channel: str, truth: Truth, *, resets_allowed: bool) -> None:
        self.found: list[Violation] = []
        self._subscriber = subscriber
        self._channel = channel
        self._truth = truth
        self._resets_allowed = resets_allowed
        self._start: Place | None = None
        self._started_at = 0.0  # what was first attempted before this need not come, unless it is behind `_start`
        self._at: Place | None = None
        self._asked: Place | None = None
        self._transport = ""
        self._seen: dict[str, Received] = {}
        self._missed: set[str] = set()  # told of already
        self._passed_unseen = 0  # places that nobody saw, and that a poll may pass over
        self._ranks: dict[str, Attempted] = {}
        self._went_elsewhere: Subscribed | None = None

    def take(self, event: Event) -> None:
        """Judge the next event."""
        match event:
            case Began():
                self._begin(event)
            case Ended():
                self._went_elsewhere = None  # nothing came of it: the next connection asks again
            case Subscribed():
                self._subscribe(event)
            case Reset():
                self._reset(event)
            case Received():
                self._check_resumed()
                self._receive(event)
            case Moved():
                self._check_resumed()
                self._move(event)

    def _begin(self, event: Began) -> None:
        self._transport = event.transport
        self._asked = event.since.get(self._channel)
        self._went_elsewhere = None
        if self._asked is not None and self._at is None:  # it came with a position of somebody else's
            self._start_at(self._asked, event.at)

    def _start_at(self, place: Place, at: float) -> None:
        self._start = self._at = place
        self._started_at = at

    def _subscribe(self, event: Subscribed) -> None:
        if self._asked is None:
            self._start_at(event.place, event.at)
        elif event.place != self._asked or not event.recovered:
            self._went_elsewhere = event

    def _check_resumed(self) -> None:
        event, self._went_elsewhere = self._went_elsewhere, None
        if event is not None:
            told = f"told {event.place}, recovered: {str(event.recovered).lower()}, and no reset followed"
            self._tell("not resumed", event, f"came back with {self._asked} and was {told}")

    def _reset(self, event: Reset) -> None:
        self._went_elsewhere = None
        if self._resets_allowed:
            if self._at is not None and self._at.epoch != event.place.epoch:
                self._forget_behind(event.place)
            self._start_at(event.place, event.at)
            self._ranks.clear()
            return
        self._tell("reset", event, f"was told {event.reason} at {self._at}, to go on at {event.place}")
        self._miss(event.place, event)
        self._at = event.place

    def _forget_behind(self, place: Place) -> None:
        """Know that what lies behind the place may come again: the subscriber was told to go on there.

        Its epoch may be one that it had before, where another server was asked in between.
        """
        self._seen = {
            id_: one
            for id_, one in self._seen.items()
            if one.place.epoch != place.epoch or one.place.offset <= place.offset
        }

    def _receive(self, event: Received) -> None:
        self._check_next(event)
        self._at = event.place
        if event.id is None:
            self._tell("unpublished", event, f"got an item without an id at {event.place}")
            return
        earlier = self._seen.setdefault(event.id, event)
        if self._resets_allowed and earlier.place.epoch != event.place.epoch:
            earlier = self._seen[event.id] = event
        if earlier is not event:
            text = f"got {event.id} at {event.place}, and had it at {earlier.at:.3f} as {earlier.place}"
            self._tell("repeated", event, text, event.id)
        publication = self._truth.publications.get(event.id)
        if publication is None or publication.first.channel != self._channel:
            self._tell("unpublished", event, f"got {event.id}, which nobody published to {self._channel}", event.id)
        elif event.content not in (None, event.id):
            self._tell("unpublished", event, f"got {event.id} with the content of {event.content}", event.id)
        elif earlier is event:
            self._check_order(event, publication.first)

    def _check_next(self, event: Received) -> None:
        at, place = self._at, event.place
        if at is None:
            self._tell("gap", event, f"got {place} before it was subscribed", *_listed(event.id))
        elif place.epoch != at.epoch:
            self._tell("gap", event, f"got {place} behind {at}: another epoch without a reset", *_listed(event.id))
        elif place.offset <= at.offset:
            self._tell("repeated", event, f"got {place}, and was at {at} already", *_listed(event.id))
        else:
            self._miss(Place(place.epoch, place.offset - 1), event)

    def _check_order(self, event: Received, item: Attempted) -> None:
        before = self._ranks.get(item.writer)
        if before is not None and self._truth.rank(before) > self._truth.rank(item):
            text = f"got {item.id} behind {before.id}: {item.writer} published them the other way round"
            self._tell("reordered", event, text, before.id, item.id)
        else:
            self._ranks[item.writer] = item

    def _move(self, event: Moved) -> None:
        at = self._at
        if at is None:
            self._start_at(event.place, event.at)
        elif event.place.epoch != at.epoch or event.place.offset < at.offset:
            self._tell("not resumed", event, f"was at {at}, and its cursor went to {event.place}")
        else:
            self._miss(event.place, event)
        self._at = event.place

    def _miss(self, until: Place, event: Received | Moved | Reset) -> None:
        """Tell of what is between here and `until`, which this subscriber should have had and never will."""
        at = self._at
        if at is None or until.epoch != at.epoch:
            return
        places = [Place(at.epoch, offset) for offset in range(at.offset + 1, until.offset + 1)]
        if self._transport == "poll":
            places = [place for place in places if not self._truth.is_silent(self._channel, place)]
            unseen = [place for place in places if self._truth.may_be_silent(self._channel, place, event.at)]
            self._passed_unseen += len(unseen)
            places = [place for place in places if place not in unseen]
        if places:
            ids = [self._truth.ids.get((self._channel, place)) for place in places]
            named = ", ".join(
                f"{place} ({id_ or 'seen by nobody'})" for place, id_ in zip(places[:5], ids, strict=False)
            )
            more = f" and {len(places) - 5} more" if len(places) > 5 else ""
            known = [id_ for id_ in ids if id_ is not None]
            self._missed.update(known)
            self._tell("gap", event, f"went from {at} to {event.place} without {named}{more}", *known)

    def end(self) -> None:
        """Judge what never came."""
        start, at = self._start, self._at
        if start is None or at is None:
            return
        for publication in self._truth.by_channel[self._channel]:
            item = publication.first
            place = self._truth.places.get(item.id)
            if item.id in self._seen or item.id in self._missed or self._is_passed_over(item, place):
                continue
            was_due = publication.acknowledged_at is not None and item.at > self._started_at
            was_behind = place is not None and place.epoch == start.epoch and place.offset > start.offset
            if was_due or was_behind:
                self.found.append(self._loss(publication, place))

    def _is_passed_over(self, item: Attempted, place: Place | None) -> bool:
        at = self._at
        if not item.is_for_streams_only or at is None:
            return False
        if place is None:
            self._passed_unseen -= 1
            return self._passed_unseen >= 0
        return place.epoch == at.epoch and place.offset <= at.offset

    def _loss(self, publication: Publication, place: Place | None) -> Violation:
        item, acknowledged_at = publication.first, publication.acknowledged_at
        known = "not acknowledged" if acknowledged_at is None else f"acknowledged at {acknowledged_at:.3f}"
        where = "nobody got it" if place is None else f"others got it as {place}"
        text = f"never got {item.id}, {known}; {where}; it was at {self._at} in the end"
        return Violation("lost", acknowledged_at or item.at, text, self._subscriber, self._channel, (item.id,))

    def _tell(self, promise: str, event: Event, text: str, *ids: str) -> None:
        self.found.append(Violation(promise, event.at, text, self._subscriber, self._channel, ids))


def _listed(id_: str | None) -> tuple[str, ...]:
    return () if id_ is None else (id_,)

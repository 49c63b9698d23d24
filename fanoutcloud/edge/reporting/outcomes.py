"""What became of an item for each of a channel's subscribers in this process, worked out when somebody asks.

Nothing is written down for each recipient while items go out: who had the channel when an item came follows from the
order of what is recorded, and what it got from its wire format, its wish and its connection.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from fanoutcloud.core.flight import JSON, MESSAGE, RESPONSE, STREAM, Moment, SeenItem
from fanoutcloud.core.items import Item
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.why import ItemAccount, Recipient
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.subscriber import Subscriber

#: Of larger crowds the first are looked at.
MAX_LOOKED_AT = 5000
MAX_RECIPIENTS = 25
#: Whoever left so long before an item is not told of.
GONE_WITHIN_S = 120.0

#: Transport → formats that it carries; docs/api/publish.md.
_CARRIED = {
    "websocket": JSON | MESSAGE,
    "sse": JSON | STREAM,
    "http-stream": JSON | STREAM,
    "long-poll": JSON | RESPONSE,
    "bayeux": JSON,
    "fpp": JSON,
    "hold-response": RESPONSE,
    "hold-stream": STREAM,
    "hold-websocket": MESSAGE,
}
#: Close reasons of connections that may not have got what was written last.
_LOSING = {"slow"}
_UNREMARKABLE = {"sent", "sent_then_closed", "caught_up", "had_it", "answered"}

Concerns = Callable[[str, str], bool]


def everybody(connection: str, user: str) -> bool:
    """Tell of all connections."""
    return True


class History:
    """What is recorded of one channel's subscribers: who joined and left, in order."""

    def __init__(self, channel: str, moments: Iterable[Moment]) -> None:
        self.joined: dict[str, Moment] = {}
        self.reset: dict[str, Moment] = {}
        self.ended: dict[str, Moment] = {}
        for moment in moments:
            if not moment.is_of(channel):
                continue
            match moment.kind:
                case "joined":
                    self.joined[moment.connection] = moment
                    self.ended.pop(moment.connection, None)
                case "reset":
                    self.reset[moment.connection] = moment
                case "left" | "closed":
                    self.ended[moment.connection] = moment


def account_for(
    seen: SeenItem, local: LocalChannel | None, history: History, concerns: Concerns = everybody
) -> ItemAccount:
    """Return what became of the item here, for connections and users that `concerns` wants told of."""
    counts: Counter[str] = Counter()
    told: list[Recipient] = []
    members = [] if local is None else [*local.live_subscribers(), *local.joining]
    for subscriber in members[:MAX_LOOKED_AT]:
        connection, user = subscriber.connection, subscriber.grant.user
        if concerns(connection, user):
            outcome, detail = _outcome_of(seen, subscriber, local, history, connection)
            counts[outcome] += 1
            told.append(Recipient(connection, subscriber.wire.transport, user, outcome, detail))
    for moment in history.ended.values():
        if concerns(moment.connection, moment.user) and (ended := _outcome_of_ended(seen, moment, history)):
            counts[ended] += 1
            told.append(Recipient(moment.connection, moment.transport, moment.user, ended, moment.detail, moment.at))
    told.sort(key=lambda one: one.outcome in _UNREMARKABLE)
    return ItemAccount(seen, dict(counts), told[:MAX_RECIPIENTS], len(members), min(len(members), MAX_LOOKED_AT))


def _outcome_of(
    seen: SeenItem, subscriber: Subscriber, local: LocalChannel | None, history: History, connection: str
) -> tuple[str, str]:
    """Return the outcome for a subscriber that is here, and details of it."""
    joined = history.joined.get(connection)
    if joined is not None and joined.number > seen.number:
        return _outcome_of_late(seen, joined, history.reset.get(connection))
    if local is not None and (joining := local.joining.get(subscriber)) is not None:
        is_before = joining.at.epoch == seen.epoch and joining.at.offset < seen.offset
        if is_before:
            return "on_its_way", f"it is at {joining.at}"
    wish = subscriber.find_wish(seen.channel)
    if wish is not None and wish.choose(_as_stored(seen)) is None:
        return "filtered", str(getattr(getattr(wish.selection, "filter", None), "text", ""))
    if own := subscriber.find_filter(_as_stored(seen).item):
        return "filtered", own
    transport = subscriber.wire.transport
    if not seen.formats & _CARRIED.get(transport, seen.formats):
        return "no_format", transport
    unsent = subscriber.sink.unsent_bytes()
    return ("waiting", f"{unsent} bytes") if unsent else ("sent", "")


def _outcome_of_late(seen: SeenItem, joined: Moment, reset: Moment | None) -> tuple[str, str]:
    if not joined.detail:
        return "subscribed_late", f"{joined.at - seen.at:.1f} s after it"
    epoch, _, offset = joined.detail.partition(":")
    if reset is not None and reset.number > joined.number:
        return "history_too_short", reset.detail
    if epoch == seen.epoch and int(offset or 0) >= seen.offset:
        return "had_it", joined.detail
    return "caught_up", joined.detail


def _outcome_of_ended(seen: SeenItem, ended: Moment, history: History) -> str:
    """Return the outcome for a connection that is gone, or nothing if it has nothing to do with the item."""
    if ended.number < seen.number:
        return "gone" if seen.at - ended.at <= GONE_WITHIN_S else ""
    joined = history.joined.get(ended.connection)
    if joined is not None and joined.number > seen.number:
        return _outcome_of_late(seen, joined, history.reset.get(ended.connection))[0]
    if not seen.formats & _CARRIED.get(ended.transport, seen.formats):
        return "no_format"
    if ended.detail == "answered":
        return "answered"
    return "slow" if ended.detail in _LOSING else "sent_then_closed"


def _as_stored(seen: SeenItem) -> StoredItem:
    """Return as much of the item as wishes look at."""
    item = Item(seen.channel, id=seen.id, tags=seen.tags or {}, meta=seen.meta or {})
    return StoredItem(StreamPosition(seen.epoch, seen.offset), item)

"""What a hub's doings are entered in: counts for metrics, what realms use of their limits, who may come.

One object between the hub and those who count, so that fan-out has one call per broadcast to make.
"""

from collections.abc import Iterable, Sequence

from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.statistics import EdgeStatistics, LimitStatistics
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.usage import UsageMeter
from fanoutcloud.edge.access.admission import Admission
from fanoutcloud.edge.hub.channel import LocalChannel, estimate_bytes
from fanoutcloud.edge.hub.subscriber import Subscriber


class Ledger:
    """Without `admission` and `egress` nothing is limited, only counted."""

    def __init__(
        self,
        statistics: EdgeStatistics | None = None,
        *,
        limits: LimitStatistics | None = None,
        admission: Admission | None = None,
        egress: EgressMeter | None = None,
        usage: UsageMeter | None = None,
        flight: FlightRecorder | None = None,
    ) -> None:
        self.edge = statistics or EdgeStatistics()
        self.limits = limits or LimitStatistics()
        self._admission = admission
        self._egress = egress
        self.usage = usage
        self.flight = flight or FlightRecorder(SystemClock())
        if usage is not None:
            usage.all_sent = self.edge.items_written
            self.edge.gather = usage.gather

    # -- who may come

    async def admit(self, realm: RealmSnapshot, wanted: Iterable[ChannelName], known: "KnownChannels") -> None:
        """Return if the realm may have one more connection with these channels. Begin it without waiting again.

        Raises:
            LimitReached: it may not; says which limit, and when to try again.
        """
        if self._admission is not None:
            await self._admission.admit_connection(realm)
            await self._admission.admit_channels(realm.realm, wanted, known=known)
            await self._admission.admit_connection(realm)  # others may have come while this one waited for channels

    def admits_at_once(self, realm: RealmSnapshot) -> bool:
        """Tell whether `admit` would return without waiting, where all channels are known here; counts nothing."""
        return self._admission is None or self._admission.has_room(realm)

    async def admit_channels(self, realm: RealmId, wanted: Iterable[ChannelName], known: "KnownChannels") -> None:
        """Return if a connection that is open may have these channels, too.

        Raises:
            LimitReached: the realm has all that it may have.
        """
        if self._admission is not None:
            await self._admission.admit_channels(realm, wanted, known=known)

    # -- what happened

    def opened(self, subscriber: Subscriber, *, is_new: bool = True) -> None:
        """Enter a subscriber that has come; not `is_new`: from another process."""
        transport = subscriber.wire.transport
        self.edge.connects[transport] += 1
        self.edge.open_now[transport] += 1
        if self._admission is not None:
            self._admission.count_in(subscriber.realm)
        self._note(subscriber, "opened")
        if self.usage is not None:
            self.usage.opened(subscriber.realm, transport, subscriber.connected_at, is_new=is_new)

    def closed(self, subscriber: Subscriber, *, reason: str = "") -> None:
        """Enter a subscriber that has gone; `reason` is said where it is no close reason."""
        transport = subscriber.wire.transport
        self.edge.open_now[transport] -= 1
        self.edge.closes[transport, reason or subscriber.close_reason.reason] += 1
        if self._admission is not None:
            self._admission.count_out(subscriber.realm)
        self._note(subscriber, "closed", detail=reason or subscriber.close_reason.reason, channels=subscriber.channels)
        if self.usage is not None:
            self.usage.closed(subscriber.realm, subscriber.connected_at)

    def joined(self, subscriber: Subscriber, channel: ChannelName, since: StreamPosition | None) -> None:
        """Enter that a subscriber has a channel, from a position or from now on."""
        self._note(subscriber, "joined", channel=channel, detail="" if since is None else str(since))

    def left(self, subscriber: Subscriber, channel: ChannelName) -> None:
        """Enter that it has the channel no more."""
        self._note(subscriber, "left", channel=channel)

    def lost(self, subscriber: Subscriber, channel: ChannelName, reason: str) -> None:
        """Enter that items were lost to it, and that it was told."""
        self.edge.resets[reason] += 1
        self._note(subscriber, "reset", channel=channel, detail=reason)

    def _note(
        self,
        subscriber: Subscriber,
        kind: str,
        *,
        channel: str = "",
        detail: str = "",
        channels: Sequence[ChannelName] = (),
    ) -> None:
        self.flight.moment(
            subscriber.realm,
            kind,
            subscriber.connection,
            subscriber.wire.transport,
            subscriber.grant.user,
            subscriber.address,
            channel=channel,
            detail=detail,
            channels=channels,
        )

    def heard(self, subscriber: Subscriber) -> None:
        """Enter that a message, not a published one, went over a subscriber's WebSocket."""
        if self.usage is not None:
            self.usage.heard(subscriber.realm, subscriber.serial)

    def requested(self, realm: RealmId, took_s: float, *, has_minutes: bool = True) -> None:
        """Enter a client's request that is no subscriber."""
        if self.usage is not None:
            self.usage.requested(realm, took_s, has_minutes=has_minutes)

    def sent_to(self, realm: RealmId) -> dict[str, int]:
        """Return where to add what subscribers of the realm are sent, by transport; ask anew each turn."""
        return self.edge.items_written if self.usage is None else self.usage.sent_to(realm)

    def fanned_out(self, realm: RealmId, size_bytes: int) -> None:
        """Enter broadcasts: bytes written to all their subscribers together."""
        self.edge.bytes_out += size_bytes
        if self._egress is not None and size_bytes:
            self._egress.count(realm, size_bytes)

    def caught_up(self, subscriber: Subscriber, page: list[StoredItem]) -> None:
        """Enter items of history that one subscriber gets."""
        size_bytes = sum(map(estimate_bytes, page))
        self.sent_to(subscriber.realm)[subscriber.wire.transport] += len(page)
        self.edge.bytes_out += size_bytes
        if self._egress is not None and size_bytes:
            self._egress.count(subscriber.realm, size_bytes)


KnownChannels = dict[tuple[RealmId, ChannelName], LocalChannel]

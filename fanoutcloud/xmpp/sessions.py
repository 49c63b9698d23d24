"""Who talks to us: one session for each full address, with a subscriber for each realm that it has channels of."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Protocol

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.edge.connections.sinks import Sink
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.xmpp.addresses import Account
from fanoutcloud.xmpp.wire import PubsubWire

MAX_SUBSCRIPTIONS_PER_SESSION = 100
MAX_SUBSCRIPTIONS_PER_JID = 1_000
#: Stanzas of one sender that wait for those before them.
MAX_STANZAS_IN_WORK = 32


class Outlet(Sink, Protocol):
    """The way to one address. `write` takes stanzas without `to`; empty ones are passed over."""

    takes_several: bool  # whether one write may hold several stanzas

    def send(self, stanza: Element) -> None:
        """Send a whole stanza, with its `to`."""

    def end(self, condition: str, text: str) -> None:
        """End the connection with a stream error, where the session has one of its own."""


#: Told where a subscription begins and whether nothing was missed since the position that came with it.
Begun = Callable[[StreamPosition, bool], None]


class XmppSubscriber(Subscriber):
    """A session's subscriptions in one realm."""

    __slots__ = ("_begun", "_hub", "_lost", "asked_as", "begun_at", "session", "times")

    wire: PubsubWire

    def __init__(self, realm: RealmId, wire: PubsubWire, session: "Session", hub: Hub) -> None:
        super().__init__(realm, wire, address=str(session.jid))
        self.session = session
        self.sink = session.outlet
        #: Channel → the address as it was written in the subscription.
        self.asked_as: dict[ChannelName, Jid] = {}
        self.begun_at: dict[ChannelName, StreamPosition] = {}
        #: When items were published that this subscriber catches up with.
        self.times: dict[StreamPosition, float] = {}
        self._hub = hub
        self._begun: dict[ChannelName, Begun] = {}
        self._lost: set[ChannelName] = set()  # channels of which a result says that items were lost

    def expect(self, channel: ChannelName, begun: Begun) -> None:
        """Have `begun` called when the channel begins."""
        self._begun[channel] = begun

    def give_up(self, channel: ChannelName) -> bool:
        """Return whether `begun` of the channel was not called; it will not be any more."""
        return self._begun.pop(channel, None) is not None

    def deliver(self, stored: StoredItem) -> None:
        """Send one item while this subscriber catches up."""
        self.sink.write(self.wire.item_stanza(stored, published_at=self.times.pop(stored.position, None)))

    def tell_subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> None:
        self.begun_at[channel] = position
        self.session.on_begun(self, channel)
        begun = self._begun.pop(channel, None)
        if begun is not None:
            begun(position, recovered)
            if not recovered:
                self._lost.add(channel)

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        if channel in self._lost:
            self._lost.discard(channel)  # the result has said it
        else:
            super().tell_reset(channel, position, reason)

    def settle(self, channel: ChannelName) -> None:
        """Know that the channel is live: what is lost from now on is told by itself."""
        self._lost.discard(channel)
        self.times.clear()

    def lose(self, channel: ChannelName, error: FanoutError) -> None:
        self.tell_ended(channel)
        self.part_with(channel)
        self._hub.tell_refused(self.realm, error, self.address)

    def part_with(self, channel: ChannelName, *, is_over: bool = True) -> bool:
        """End the subscription to a channel, or only its life here; return whether there was one."""
        had = self._hub.leave(self, channel)
        self.asked_as.pop(channel, None)
        if is_over:
            self.session.on_ended(self, channel)
        if had and not self.channels:
            self.on_lost()
        elif had:
            self._hub.tell_connected(self)
        return had

    def tell_ended(self, channel: ChannelName) -> None:
        """Say that a subscription was ended from here."""
        jid = self.asked_as.get(channel, self.session.jid)
        self.sink.write(self.wire.ended(channel, str(jid)))

    def close(self, reason: CloseReason, text: str = "") -> None:
        """End all subscriptions of the realm, saying so; the session itself goes on where it may."""
        if self.is_closed:
            return
        self.close_reason = reason
        if reason is CloseReason.DRAINING:
            self.session.on_draining()
        else:
            for channel in list(self.channels):
                self.tell_ended(channel)
                self.session.on_ended(self, channel)
        self.on_lost()
        self.session.on_closed(self, reason, text)

    def on_overflow(self) -> None:
        self.session.outlet.end("resource-constraint", "the connection does not keep up; reconnect and resume")

    def on_lost(self) -> None:
        super().on_lost()
        if self.session.subscribers.get(self.realm) is self:
            del self.session.subscribers[self.realm]


class Session:
    """One address that talks to us. `token` is what its account was signed in with."""

    def __init__(
        self,
        jid: Jid,
        *,
        account: Account | None = None,
        token: str | None = None,
        address: str = "",
        is_receiver: bool = False,
    ) -> None:
        self.jid = jid
        #: Whether the address has not subscribed, but was added by the realm.
        self.is_receiver = is_receiver
        self.outlet: Outlet
        self.account = account
        self.token = token
        self.address = address or str(jid.bare)  # by which failures are counted
        self.subscribers: dict[RealmId, XmppSubscriber] = {}
        #: Stanzas that wait; None: none is in work.
        self.waiting: deque[tuple[Element, Jid]] | None = None
        #: Whether the end of the session is told by its presence.
        self.has_presence = False
        #: Told of each subscription that ends, where somebody keeps them.
        self.on_subscription_ended: Callable[[Session, RealmId, ChannelName], None] | None = None
        self.on_subscription_begun: Callable[[XmppSubscriber, ChannelName], None] | None = None
        #: Called before subscriptions leave this process, and go on in another.
        self.on_draining: Callable[[], object] = lambda: None
        #: Returns the session of the bare address, where one can outlive the full ones.
        self.find_bare: Callable[[], Session] | None = None

    @property
    def subscriptions(self) -> Iterator[tuple[XmppSubscriber, ChannelName]]:
        return ((one, channel) for one in list(self.subscribers.values()) for channel in list(one.channels))

    def count_subscriptions(self) -> int:
        return sum(len(one.channels) for one in self.subscribers.values())

    def leave_all(self) -> None:
        """End everything: the session is over."""
        for subscriber, channel in list(self.subscriptions):
            self.on_ended(subscriber, channel)
        for subscriber in list(self.subscribers.values()):
            subscriber.on_lost()

    def on_begun(self, subscriber: XmppSubscriber, channel: ChannelName) -> None:
        """Know that a subscription has begun, at `begun_at`."""
        if self.on_subscription_begun is not None:
            self.on_subscription_begun(subscriber, channel)

    def on_ended(self, subscriber: XmppSubscriber, channel: ChannelName) -> None:
        """Know that a subscription is over."""
        if self.on_subscription_ended is not None:
            self.on_subscription_ended(self, subscriber.realm, channel)

    def on_closed(self, subscriber: XmppSubscriber, reason: CloseReason, text: str) -> None:
        """Know that the subscriptions in a realm were ended from here."""
        if self.account is not None and self.account.realm == subscriber.realm and reason in _END_SESSIONS:
            self.outlet.end(_END_SESSIONS[reason], text or reason.text)


#: Reasons that end the session of a realm's own account, too, and with which stream error.
_END_SESSIONS = {
    CloseReason.EXPELLED: "policy-violation",
    CloseReason.DISCONNECTED: "reset",
    CloseReason.REALM_DELETED: "not-authorized",
    CloseReason.DRAINING: "system-shutdown",
}


class SessionCounts:
    """How many subscriptions each bare address has, over its sessions."""

    def __init__(self) -> None:
        self._by_bare: Counter[Jid] = Counter()

    def add(self, jid: Jid, number: int) -> None:
        """Count subscriptions in, or out."""
        self._by_bare[jid.bare] += number
        if self._by_bare[jid.bare] <= 0:
            del self._by_bare[jid.bare]

    def of(self, jid: Jid) -> int:
        return self._by_bare[jid.bare]

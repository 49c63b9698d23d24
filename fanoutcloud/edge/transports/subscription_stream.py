"""`/realm/{realm}/subscriptions/stream/`: changes of the subscription feed as they happen, a line each."""

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.subscription_feed import FEED_CHANNEL, write_line
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.encoding.frames import http_chunk, unframed
from fanoutcloud.edge.encoding.wire import RawStreamWire
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.site.requests import SubscribeRequest, client_address
from fanoutcloud.edge.transports.streams import StreamResponse, Wires


class FeedWire(RawStreamWire):
    """Changes as lines; blank lines keep the stream alive."""

    def item(self, stored: StoredItem) -> bytes:
        return self.framing(write_line(stored))


WIRES = Wires(FeedWire(http_chunk), FeedWire(unframed))


class FeedSubscriber(Subscriber):
    """A publisher's server that follows the feed."""

    __slots__ = ()

    def lose(self, channel: ChannelName, error: FanoutError) -> None:
        """Channel rules are for subscribers; this one came with a key."""

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        """End the stream: the client reads the whole list again when it comes back."""
        self.close(CloseReason.UNAVAILABLE)


async def serve_subscription_stream(hub: Hub, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, from now on.

    Raises:
        LimitReached: before anything was sent.
    """
    await hub.ledger.admit(realm, [], hub.channels)
    subscriber = FeedSubscriber(realm.realm, WIRES.plain, address=client_address(scope))
    response = StreamResponse(hub, scope, receive, send, b"application/json")
    await response.run(subscriber, SubscribeRequest([FEED_CHANNEL], None, {}), WIRES, b"\n")

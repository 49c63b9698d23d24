"""An item as the stanza that subscribers get: encoded once for all of a realm, without the receiver's address."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

from fanoutcloud.core.activity import Transport
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.xml_elements import quote_attribute
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.wire import Ending, Framing
from fanoutcloud.xmpp.addresses import Domains, Node
from fanoutcloud.xmpp.json_text import JSON, write_json

EVENT = "http://jabber.org/protocol/pubsub#event"
STREAM = "urn:fanout:stream:0"


class PubsubWire:
    """Stanzas for the subscribers of one realm. A stanza begins with its name and a space: `to` may be put there."""

    transport: Transport = "xmpp"
    framing: Framing = staticmethod(unframed)

    def __init__(
        self, realm: RealmId, domains: Domains, find_stanza: "FindStanza | None" = None, *, is_joinable: bool = False
    ) -> None:
        """`find_stanza` gives the whole stanza that an item brings in place of its JSON, if it may.

        `is_joinable`: its receivers have connections of their own, which no address has to be put into a stanza for.
        """
        self.realm = realm
        self.is_joinable = is_joinable
        self._service = domains.pubsub
        self._from = quote_attribute(domains.pubsub)
        self._find_stanza = find_stanza
        self._serials = itertools.count(1)

    def item(self, stored: StoredItem) -> bytes:
        return self.item_stanza(stored)

    def item_stanza(self, stored: StoredItem, *, published_at: float | None = None) -> bytes:
        """Return the notification of an item; `published_at` is told of those that come late, out of history."""
        if self._find_stanza is not None and (stanza := self._find_stanza(self.realm, stored)) is not None:
            return stanza
        if stored.item.json_object is None:
            return b""
        items = f"<items node={self._node(stored.item.channel)}>{write_item(stored)}</items>"
        position = f"<stanza-id xmlns='urn:xmpp:sid:0' by={self._from} id='{stored.position}'/>"
        delay = "" if published_at is None else self._delay(published_at)
        return self._message(f"<event xmlns='{EVENT}'>{items}</event>{position}{delay}")

    def ended(self, channel: ChannelName, jid: str) -> bytes:
        """Return what says that a subscription was ended from here."""
        subscription = f"<subscription node={self._node(channel)} jid={quote_attribute(jid)} subscription='none'/>"
        return self._message(f"<event xmlns='{EVENT}'>{subscription}</event>")

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        items = f"<event xmlns='{EVENT}'><items node={self._node(channel)}/></event>"
        return self._message(f"{items}<reset xmlns='{STREAM}' position='{position}' reason='{reason}'/>")

    def _message(self, content: str) -> bytes:
        return f"<message from={self._from} type='headline' id='e{next(self._serials):x}'>{content}</message>".encode()

    def _node(self, channel: ChannelName) -> str:
        return quote_attribute(str(Node(self.realm, channel)))

    def _delay(self, published_at: float) -> str:
        stamp = datetime.fromtimestamp(published_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return f"<delay xmlns='urn:xmpp:delay' from={self._from} stamp='{stamp}Z'/>"

    # What other transports say between items is said by answers here.

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
        return b""

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        return b""

    def keep_alive(self) -> bytes:
        return b""  # the doors keep their connections alive

    def closing(self, reason: CloseReason, text: str = "") -> bytes:
        return b""

    def ending(self, item: Item) -> Ending | None:
        """Items end no session."""
        return None


class ReceiverWire(PubsubWire):
    """For those who have not subscribed: they get whole stanzas, and nothing else."""

    def item_stanza(self, stored: StoredItem, *, published_at: float | None = None) -> bytes:
        return b"" if self._find_stanza is None else self._find_stanza(self.realm, stored) or b""

    def ended(self, channel: ChannelName, jid: str) -> bytes:
        return b""

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        return b""


#: Returns a whole stanza for the subscribers of a realm, or None where an item has none for them.
FindStanza = Callable[[RealmId, StoredItem], bytes | None]


def item_id(stored: StoredItem) -> str:
    """Return an item's name: its publisher's, else its number. What clients publish is named as they did."""
    item = stored.item
    if item.id is None:
        return str(stored.position.offset)
    return item.id if item.user is None else item.id.removeprefix(f"{item.user}:")


def write_item(stored: StoredItem) -> str:
    """Return an item with JSON as it stands in notifications and in history."""
    payload = f"<json xmlns='{JSON}'>{write_json(stored.item.json_object or b'null')}</json>"
    return f"<item id={quote_attribute(item_id(stored))}>{payload}</item>"

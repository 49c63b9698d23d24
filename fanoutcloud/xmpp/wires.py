"""One wire format for each realm that has subscribers over XMPP, at each kind of door."""

import weakref

from fanoutcloud.core.names import RealmId
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.wire import FindStanza, PubsubWire, ReceiverWire


class Wires:
    """Keeps a realm's wire format as long as anybody uses it: subscribers that share one share its bytes."""

    def __init__(
        self, domains: Domains, find_stanza: FindStanza | None = None, find_receivers_stanza: FindStanza | None = None
    ) -> None:
        self._domains = domains
        self._find_stanza = find_stanza
        self._find_receivers_stanza = find_receivers_stanza
        self._kept: weakref.WeakValueDictionary[tuple[RealmId, bool], PubsubWire] = weakref.WeakValueDictionary()
        self._for_receivers: weakref.WeakValueDictionary[RealmId, PubsubWire] = weakref.WeakValueDictionary()

    def of(self, realm: RealmId, *, is_joinable: bool) -> PubsubWire:
        """Return the realm's wire format; `is_joinable` where one write may hold several stanzas."""
        wire = self._kept.get((realm, is_joinable))
        if wire is None:
            wire = PubsubWire(realm, self._domains, self._find_stanza, is_joinable=is_joinable)
            self._kept[realm, is_joinable] = wire
        return wire

    def for_receivers(self, realm: RealmId) -> PubsubWire:
        """Return the wire format of those who have not subscribed."""
        wire = self._for_receivers.get(realm)
        if wire is None:
            self._for_receivers[realm] = wire = ReceiverWire(realm, self._domains, self._find_receivers_stanza)
        return wire

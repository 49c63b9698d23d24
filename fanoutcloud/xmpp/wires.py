"""One wire format for each realm that has subscribers over XMPP."""

import weakref

from fanoutcloud.core.names import RealmId
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.wire import FindStanza, PubsubWire


class Wires:
    """Keeps a realm's wire format as long as anybody uses it: subscribers that share one share its bytes."""

    def __init__(self, domains: Domains, find_stanza: FindStanza | None = None) -> None:
        self._domains = domains
        self._find_stanza = find_stanza
        self._by_realm: weakref.WeakValueDictionary[RealmId, PubsubWire] = weakref.WeakValueDictionary()

    def of(self, realm: RealmId) -> PubsubWire:
        """Return the realm's wire format."""
        wire = self._by_realm.get(realm)
        if wire is None:
            wire = self._by_realm[realm] = PubsubWire(realm, self._domains, self._find_stanza)
        return wire

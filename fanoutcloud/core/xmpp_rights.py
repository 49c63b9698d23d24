"""What a realm says of XMPP: which addresses may administer it, and who gets whole stanzas."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import ChannelName


@dataclass(frozen=True, slots=True)
class XmppRights:
    """`admins` are bare addresses, or whole domains as `@example.org`.

    `receivers` are bare addresses that get whole stanzas without having subscribed, and of which channels. Stanzas to
    the realm are posted to `stanza_url`; nowhere, if that is empty.
    """

    admins: frozenset[str] = frozenset()
    sends_stanzas: bool = False
    receivers: Mapping[str, frozenset[ChannelName]] = field(default_factory=dict)
    stanza_url: str = ""

    def is_admin(self, jid: Jid) -> bool:
        """Tell whether the address, or all of its domain, is on the list."""
        return bool(self.admins) and (str(jid.bare) in self.admins or f"@{jid.domain}" in self.admins)


NO_XMPP_RIGHTS = XmppRights()

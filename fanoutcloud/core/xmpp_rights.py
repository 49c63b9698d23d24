"""What a realm says of XMPP: which addresses may administer it, and whether its items may bring whole stanzas."""

from dataclasses import dataclass

from fanoutcloud.core.jids import Jid


@dataclass(frozen=True, slots=True)
class XmppRights:
    """`admins` are bare addresses, or whole domains as `@example.org`."""

    admins: frozenset[str] = frozenset()
    sends_stanzas: bool = False

    def is_admin(self, jid: Jid) -> bool:
        """Tell whether the address, or all of its domain, is on the list."""
        return bool(self.admins) and (str(jid.bare) in self.admins or f"@{jid.domain}" in self.admins)


NO_XMPP_RIGHTS = XmppRights()

"""Active channels, page by page (XEP-0059), for whoever administers their realms: `disco#items` of `pubsub.D`."""

from collections.abc import Awaitable, Callable, Sequence

from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.reads import DeliveryReads
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.xmpp import disco, pubsub
from fanoutcloud.xmpp.access import Access
from fanoutcloud.xmpp.addresses import Domains, Node, parse_node
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import StanzaError

#: Returns the realms on whose list of admins an address is.
FindRealms = Callable[[Jid], Awaitable[Sequence[RealmId]]]


class ChannelList:
    """Lists nothing for those who administer no realm: which channels there are is not for them."""

    def __init__(self, access: Access, reads: DeliveryReads, domains: Domains, find_realms: FindRealms) -> None:
        self._access = access
        self._reads = reads
        self._domains = domains
        self._find_realms = find_realms

    async def list(self, session: Session, payload: Element) -> Element:
        """Return one page, in the order of realms and names.

        Raises:
            StanzaError: the page that is asked for can't be.
            FanoutError: it can't be looked up now.
        """
        size, after = _read_page(payload)
        nodes: list[Node] = []
        for realm in await self._realms_of(session):
            if len(nodes) < size and (after is None or realm >= after.realm):
                cursor = after.channel if after is not None and after.realm == realm else None
                page = await self._reads.channels(realm, cursor=cursor, limit=size - len(nodes))
                nodes += [Node(realm, one.channel) for one in page.channels]
        if not nodes:
            return disco.items([])
        service = self._domains.pubsub
        entries = [{"jid": service, "node": str(node), "name": str(node.channel)} for node in nodes]
        return disco.items(entries, pubsub.page_marks(str(nodes[0]), str(nodes[-1])))

    async def _realms_of(self, session: Session) -> Sequence[RealmId]:
        if session.jid.domain == self._domains.guest:
            return ()
        realms = set(await self._find_realms(session.jid))
        if session.account is not None:
            realms.add(session.account.realm)
        return [realm for realm in sorted(realms) if await self._is_admin(session, realm)]

    async def _is_admin(self, session: Session, realm: RealmId) -> bool:
        try:
            return (await self._access.find_rights(session, realm)).is_admin
        except StanzaError:
            return False


def _read_page(payload: Element) -> tuple[int, Node | None]:
    """Return how many are asked for, and behind which."""
    paging = payload.find("set", pubsub.RSM)
    asked, after = (None, None) if paging is None else (paging.find("max"), paging.find("after"))
    size = None if asked is None else pubsub.read_count(asked.text, "max")
    return size or pubsub.MAX_PAGE_ITEMS, parse_node(after.text) if after is not None and after.text else None

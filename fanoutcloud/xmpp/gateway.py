"""From stanzas to services: who is asked what, one stanza of a session after the other, and one answer to each.

The same for both doors, which bring sessions and stanzas. Source: docs/topics/xmpp.md.
"""

import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.xmpp import disco, pubsub
from fanoutcloud.xmpp.access import Access
from fanoutcloud.xmpp.addresses import Account, Domains, Node, parse_node
from fanoutcloud.xmpp.asked_ids import AskedIds
from fanoutcloud.xmpp.channels import Channels
from fanoutcloud.xmpp.sessions import MAX_STANZAS_IN_WORK, Outlet, Session
from fanoutcloud.xmpp.stanzas import StanzaError, error_of, result_of, to_stanza_error

logger = logging.getLogger(__name__)

ROSTER = "jabber:iq:roster"
_MESSAGES_COME_BACK = {"service-unavailable", "resource-constraint"}


class Service:
    """What is at one of our addresses. Subclasses answer IQs; messages and presence are passed over."""

    async def answer(self, session: Session, iq: Element, payload: Element, to: Jid) -> Element | None:
        """Return the answer, or None where it was sent already.

        Raises:
            StanzaError, FanoutError: what the answer is instead.
        """
        raise not_offered(payload)

    async def hear(self, session: Session, message: Element, to: Jid) -> None:
        """Take a message."""

    async def see(self, session: Session, presence: Element, to: Jid) -> None:
        """Take a presence other than the end of the session."""

    def hear_answer(self, stanza: Element, sender: Jid, to: Jid) -> None:
        """Take a result or an error that answers something of ours; nothing is said to that."""


def not_offered(payload: Element) -> StanzaError:
    """Return the answer to whatever nobody knows."""
    return StanzaError("service-unavailable", f"{payload.name[:100]!r} is not offered here; ask with service discovery")


class ServerService(Service):
    """The main domain, where this process itself is the clients' server: what clients ask one for."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains

    async def answer(self, session: Session, iq: Element, payload: Element, to: Jid) -> Element | None:
        is_get = iq.get("type") == "get"
        if payload.namespace == disco.INFO and is_get:
            if to.local:
                return result_of(iq, disco.info("account", "registered", "Account", disco.PLAIN_FEATURES))
            return result_of(iq, disco.info("server", "im", "Fanout Cloud", disco.PLAIN_FEATURES))
        if payload.namespace == disco.ITEMS and is_get:
            names = (("Channels", self._domains.pubsub), ("Commands", self._domains.api))
            return result_of(iq, disco.items([] if to.local else [{"jid": jid, "name": name} for name, jid in names]))
        if payload.namespace == ROSTER and is_get:
            return result_of(iq, Element("query", ROSTER))  # an empty contact list, which most clients ask for first
        raise not_offered(payload)

    async def hear(self, session: Session, message: Element, to: Jid) -> None:
        raise StanzaError("service-unavailable", "there are no messages between people here")


class PubsubService(Service):
    """`pubsub.D`: channels."""

    def __init__(self, channels: Channels, list_channels: "ListChannels | None" = None) -> None:
        self._channels = channels
        self._list_channels = list_channels

    async def answer(self, session: Session, iq: Element, payload: Element, to: Jid) -> Element | None:
        if payload.namespace in (pubsub.PUBSUB, pubsub.OWNER) and payload.name == "pubsub":
            return await self._channels.answer(session, iq, payload)
        if payload.namespace == disco.INFO and iq.get("type") == "get":
            return result_of(iq, await self._info(session, payload.get("node")))
        if payload.namespace == disco.ITEMS and iq.get("type") == "get":
            return result_of(iq, await self._items(session, payload))
        raise not_offered(payload)

    async def _info(self, session: Session, node: str | None) -> Element:
        if not node:
            return disco.info("pubsub", "service", "Channels", disco.PUBSUB_FEATURES)
        parsed: Node = parse_node(node)
        subscribers, is_public = await self._channels.find_channel(session, parsed)
        return disco.node_info(node, parsed.channel, subscribers=subscribers, is_public=is_public)

    async def _items(self, session: Session, payload: Element) -> Element:
        node = payload.get("node")
        if node:
            await self._channels.find_channel(session, parse_node(node))
            return disco.items([], node=node)
        if self._list_channels is None:
            return disco.items([])
        return await self._list_channels(session, payload)


#: Returns the answer to disco#items of the PubSub service, for whoever asks.
ListChannels = Callable[[Session, Element], Awaitable[Element]]


class Gateway:
    """One per process. Sessions come from the doors; stanzas of one session are handled in their order."""

    def __init__(self, domains: Domains, access: Access, channels: Channels, hub: Hub) -> None:
        self.domains = domains
        self.access = access
        self.channels = channels
        self.services: dict[str, Service] = {}
        self.asked = AskedIds()
        self._hub = hub

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields and is sent
        """Run work until it ends or the process does."""
        self._hub.spawn(work)

    def tell_refused(self, realm: RealmId, error: FanoutError, address: str) -> None:
        """Show watchers of a realm that somebody was turned away."""
        self._hub.tell_refused(realm, error, address)

    def make_session(
        self, jid: Jid, outlet: Outlet, *, account: Account | None, token: str | None, address: str = ""
    ) -> Session:
        """Return a new session of an address."""
        session = Session(jid, account=account, token=token, address=address)
        session.outlet = outlet
        return session

    def take(self, session: Session, stanza: Element, to: Jid) -> None:
        """Take one stanza of a session for an address of ours. Answers follow; nothing is raised."""
        type_ = stanza.get("type")
        if type_ == "error" or (stanza.name == "iq" and type_ == "result"):
            self.hear_answer(stanza, session.jid, to)
            return  # never answered: two programs would do so for ever
        if stanza.name == "iq" and type_ not in ("get", "set"):
            self._refuse(session, stanza, StanzaError("bad-request", "an IQ has the type get, set, result or error"))
        elif stanza.name == "presence" and type_ == "unavailable":
            session.leave_all()
        elif session.waiting is None:
            session.waiting = deque([(stanza, to)])
            self.spawn(self._work(session))
        elif len(session.waiting) >= MAX_STANZAS_IN_WORK:
            text = f"{MAX_STANZAS_IN_WORK} stanzas are in work; wait for their answers"
            self._refuse(session, stanza, StanzaError("resource-constraint", text))
        else:
            session.waiting.append((stanza, to))

    def hear_answer(self, stanza: Element, sender: Jid, to: Jid) -> None:
        """Take a result or an error that answers something of ours."""
        service = self.services.get(to.domain)
        if service is not None:
            service.hear_answer(stanza, sender, to)

    async def _work(self, session: Session) -> None:
        """Handle what waits, and from now on others as they come."""
        try:
            while session.waiting:
                stanza, to = session.waiting.popleft()
                await self._handle(session, stanza, to)
        finally:
            session.waiting = None

    async def _handle(self, session: Session, stanza: Element, to: Jid) -> None:
        try:
            answer = await self._do(session, stanza, to)
        except StanzaError as error:
            self._refuse(session, stanza, error)
        except FanoutError as error:
            self._refuse(session, stanza, to_stanza_error(error))
        except Exception:
            number = secrets.token_hex(4)  # the only thing that is told, so that the log can be searched for it
            logger.exception("xmpp_stanza_failed", extra={"number": number})
            self._refuse(session, stanza, StanzaError("internal-server-error", f"our fault; its number is {number}"))
        else:
            if answer is not None:
                session.outlet.send(answer)

    async def _do(self, session: Session, stanza: Element, to: Jid) -> Element | None:
        service = self.services.get(to.domain)
        if service is None:
            raise StanzaError("service-unavailable", f"{to.domain[:100]} is not served here")
        if stanza.name == "message":
            await service.hear(session, stanza, to)
            return None
        if stanza.name == "presence":
            await service.see(session, stanza, to)
            return None
        payloads = list(stanza.elements)
        if len(payloads) != 1 or not stanza.get("id"):
            raise StanzaError("bad-request", "an IQ of type get or set has an id, and one element in it")
        payload = payloads[0]
        if payload.name == "ping" and payload.namespace == disco.PING and stanza.get("type") == "get":
            return result_of(stanza)
        return await service.answer(session, stanza, payload, to)

    def _refuse(self, session: Session, stanza: Element, error: StanzaError) -> None:
        if stanza.name == "iq" or (stanza.name == "message" and error.condition in _MESSAGES_COME_BACK):
            session.outlet.send(error_of(stanza, error))

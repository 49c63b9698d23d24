"""`{realm}@stanza.D`: whom a realm's stanzas are from. What is said to it, and what is answered, comes here."""

import re
import secrets

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.xmpp import disco
from fanoutcloud.xmpp.gateway import Gateway, Service, not_offered
from fanoutcloud.xmpp.receivers import Receivers
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanza_origin import StanzaOrigin
from fanoutcloud.xmpp.stanzas import CLIENT, StanzaError, result_of

#: What an address may answer that was asked; all else is not looked up.
_YES_OR_NO = re.compile(r"\s*(?:\d{6}|no|stop)\s*\Z", re.IGNORECASE)


class StanzaService(Service):
    """Hears yes and no of those who were asked, and what became of stanzas; the rest is for the realm's application."""

    def __init__(self, gateway: Gateway, receivers: Receivers, origin: StanzaOrigin) -> None:
        self._gateway = gateway
        self._receivers = receivers
        self._origin = origin

    async def answer(self, session: Session, iq: Element, payload: Element, to: Jid) -> Element | None:
        realm = await self._find_realm(session, to)
        if realm is None:
            if payload.namespace == disco.INFO and iq.get("type") == "get":
                return result_of(iq, disco.info("automation", "rpc", "Stanzas", disco.PLAIN_FEATURES))
            raise not_offered(payload)
        answers = await self._origin.ask(realm, iq, session.jid, to)
        self._send(session, answers)
        if any(one.name == "iq" and one.get("type") == "result" for one in answers):
            return None
        raise StanzaError("service-unavailable", "the application does not answer this")

    async def hear(self, session: Session, message: Element, to: Jid) -> None:
        realm_id, body = self._gateway.domains.find_stanza_realm(to), message.find("body")
        is_chat = message.get("type") in (None, "chat", "normal")
        if realm_id is not None and body is not None and is_chat and _YES_OR_NO.match(body.text):
            reply = await self._receivers.hear(realm_id, session.jid, body.text)
            if reply:
                attributes = {"from": str(to.bare), "to": str(session.jid), "type": "chat", "id": secrets.token_hex(6)}
                session.outlet.send(Element("message", CLIENT, attributes, Element("body", CLIENT, None, reply)))
                return
        await self._hand_over(session, message, to)

    async def see(self, session: Session, presence: Element, to: Jid) -> None:
        await self._hand_over(session, presence, to)

    async def _hand_over(self, session: Session, stanza: Element, to: Jid) -> None:
        realm = await self._find_realm(session, to)
        if realm is not None:
            self._send(session, await self._origin.ask(realm, stanza, session.jid, to))

    async def _find_realm(self, session: Session, to: Jid) -> RealmSnapshot | None:
        """Return the realm of an address if it has an application; without one, it looks as if there were no realm."""
        realm_id = self._gateway.domains.find_stanza_realm(to)
        if realm_id is None:
            return None
        try:
            realm = await self._gateway.access.find_realm(realm_id, asker=session.address)
        except FanoutError:
            return None
        return realm if realm is not None and realm.xmpp.stanza_url else None

    def _send(self, session: Session, answers: list[Element]) -> None:
        for answer in answers:
            to = answer.get("to") or ""
            if to.partition("/")[0] == str(session.jid.bare):
                session.outlet.send(answer)
            else:
                self._receivers.send(to, answer)

    def hear_answer(self, stanza: Element, sender: Jid, to: Jid) -> None:
        realm = self._gateway.domains.find_stanza_realm(to)
        is_ours = stanza.name != "iq" or self._gateway.asked.take(sender, stanza.get("id") or "")
        if realm is not None and is_ours:
            self._receivers.hear_answer(realm, stanza, sender)

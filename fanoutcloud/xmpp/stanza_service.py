"""`{realm}@stanza.D`: whom a realm's stanzas are from. What is said to it, and what is answered, comes here."""

import secrets

from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import RealmId, find_realm_id
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.xmpp import disco
from fanoutcloud.xmpp.asked_ids import AskedIds
from fanoutcloud.xmpp.gateway import Service, not_offered
from fanoutcloud.xmpp.receivers import Receivers
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import CLIENT, result_of

#: Nobody's yes or no is longer.
MAX_ANSWER_CHARACTERS = 64


class StanzaService(Service):
    """Hears yes and no of those who were asked, and what became of stanzas."""

    def __init__(self, receivers: Receivers, asked: AskedIds) -> None:
        self._receivers = receivers
        self._asked = asked

    async def answer(self, session: Session, iq: Element, payload: Element, to: Jid) -> Element | None:
        if payload.namespace == disco.INFO and iq.get("type") == "get":
            return result_of(iq, disco.info("automation", "rpc", "Stanzas", disco.PLAIN_FEATURES))
        raise not_offered(payload)

    async def hear(self, session: Session, message: Element, to: Jid) -> None:
        realm, body = _realm_of(to), message.find("body")
        if realm is None or body is None or message.get("type") not in (None, "chat", "normal"):
            return
        text = body.text.strip()
        reply = await self._receivers.hear(realm, session.jid, text) if 0 < len(text) <= MAX_ANSWER_CHARACTERS else ""
        if reply:
            attributes = {"from": str(to.bare), "to": str(session.jid), "type": "chat", "id": secrets.token_hex(6)}
            session.outlet.send(Element("message", CLIENT, attributes, Element("body", CLIENT, None, reply)))

    def hear_answer(self, stanza: Element, sender: Jid, to: Jid) -> None:
        realm = _realm_of(to)
        is_ours = stanza.name != "iq" or self._asked.take(sender, stanza.get("id") or "")
        if realm is not None and is_ours:
            self._receivers.hear_answer(realm, stanza, sender)


def _realm_of(to: Jid) -> RealmId | None:
    return find_realm_id(to.local) if to.local else None

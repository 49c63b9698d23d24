"""The format `xmpp-stanza`: a whole stanza from a publisher. It is never copied: read, judged, and built anew.

It goes into streams that all realms share, so it may not speak for the server or for anybody else.
"""

import secrets

from fanoutcloud.core.errors import InvalidItem
from fanoutcloud.core.items import XmppStanza
from fanoutcloud.core.jids import BadJid, parse_jid
from fanoutcloud.core.xml_elements import Element, quote_attribute, write_element
from fanoutcloud.core.xml_parsing import XmlFault, XmlLimits, parse_xml

CLIENT = "jabber:client"
LIMITS = XmlLimits(stanza_bytes=65_536, depth=32, elements=2_000, attributes=64)
MAX_ID_BYTES = 128
#: What each kind may be; None: without a type.
_TYPES: dict[str, set[str | None]] = {
    "message": {None, "normal", "chat", "groupchat", "headline"},
    "presence": {None, "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed"},
    "iq": {"get", "set"},
}
#: Children in the stanza's own namespace that say something of the stanza, and nothing of the server.
_OWN_CHILDREN = {"body", "subject", "thread", "show", "status", "priority"}
#: Namespaces of servers, and of what lets a message seem to be from somebody else.
_FORBIDDEN = (
    "urn:ietf:params:xml:ns:xmpp-",
    "http://etherx.jabber.org/streams",
    "urn:xmpp:sm:",
    "urn:xmpp:carbons:",
    "urn:xmpp:forward:",
    "urn:xmpp:delay",
    "urn:fanout:",
    "jabber:server",
    "jabber:component:",
)


def parse_stanza(content: str, place: str) -> XmppStanza:
    """Return the stanza that `content` is, without addresses.

    Raises:
        InvalidItem: it is none that may be sent; says where, by line and column.
    """
    try:
        stanza = parse_xml(content.encode("utf-8", "surrogatepass"), LIMITS)
    except XmlFault as fault:
        where = f"line {fault.line}, column {fault.column}: " if fault.line else ""
        raise _bad(place, f"{where}{fault.text}", "send one well-formed stanza") from None
    if stanza.namespace not in ("", CLIENT) or stanza.name not in _TYPES:
        raise _bad(place, f"{stanza.name[:80]!r} is no stanza", "send a message, presence or iq of jabber:client")
    if stanza.get("type") not in _TYPES[stanza.name]:
        known = ", ".join(sorted(name for name in _TYPES[stanza.name] if name))
        raise _bad(place, f"the type {stanza.get('type')!r} can't be sent", f"use {known}")
    if stanza.get("to") is not None:
        raise _bad(place, "it has a 'to'", "leave it out: the stanza goes to each subscriber")
    for child in stanza.elements:
        _check_child(stanza, child, place)
    return _build(stanza, place)


def _check_child(stanza: Element, child: Element, place: str) -> None:
    is_own = child.namespace in ("", CLIENT, stanza.namespace)
    if is_own and child.name not in _OWN_CHILDREN:
        raise _bad(
            place, f"{child.name[:80]!r} can't be in it", f"use {', '.join(sorted(_OWN_CHILDREN))}, or a namespace"
        )
    for element in child.walk():
        if element is not child and not is_own and element.namespace == CLIENT:
            raise _bad(place, "a stanza can't be within a stanza", "send it by itself")
        if element.namespace.startswith(_FORBIDDEN):
            raise _bad(place, f"the namespace {element.namespace[:80]!r} is the server's", "leave it out")
        if is_own and element is not child:
            raise _bad(place, f"{child.name!r} holds an element", "put text in it")


def _build(stanza: Element, place: str) -> XmppStanza:
    id_ = stanza.get("id") or secrets.token_hex(8)
    if len(id_.encode()) > MAX_ID_BYTES:
        id_ = secrets.token_hex(8)
    kept = {name: value for name, value in stanza.attributes.items() if name not in ("from", "to", "id")}
    rebuilt = Element(stanza.name, CLIENT, {"id": id_, **kept}, *stanza.children)
    for element in rebuilt.walk():
        if element.namespace == "":
            element.namespace = CLIENT
    text = write_element(rebuilt)
    return XmppStanza(
        name=stanza.name, rest=text.removeprefix(f"<{stanza.name}").encode(), resource=_resource(stanza, place)
    )


def _resource(stanza: Element, place: str) -> str:
    sender = stanza.get("from")
    if sender is None:
        return ""
    try:
        return parse_jid(sender).resource
    except BadJid as error:
        raise _bad(place, f"its 'from' is no address: {error}", "leave it out") from None


def write_stanza(stanza: XmppStanza, *, sender: str) -> bytes:
    """Return the stanza as it goes out, from `sender`; its receiver is put in behind its name."""
    address = f"{sender}/{stanza.resource}" if stanza.resource else sender
    return f"<{stanza.name} from={quote_attribute(address)}".encode() + stanza.rest


def _bad(place: str, message: str, cure: str) -> InvalidItem:
    return InvalidItem(message, cure=cure, field=f"{place}.content")

"""The format `xmpp-stanza`: a whole stanza from a publisher. It is never copied: read, judged, and built anew.

It goes into streams that all realms share, so it may not speak for the server or for anybody else.
"""

import secrets
from collections.abc import Collection, Sequence

from fanoutcloud.core.errors import InvalidItem
from fanoutcloud.core.items import Item, XmppStanza
from fanoutcloud.core.jids import BadJid, Jid, parse_jid
from fanoutcloud.core.xml_elements import Element, quote_attribute, write_element
from fanoutcloud.core.xml_parsing import XmlFault, XmlLimits, parse_xml
from fanoutcloud.core.xmpp_rights import XmppRights

CLIENT = "jabber:client"
LIMITS = XmlLimits(stanza_bytes=65_536, depth=32, elements=2_000, attributes=64)
MAX_ID_BYTES = 128
#: How an IQ begins that each receiver gets with an id of its own; no content can, since `<` is escaped there.
WITHOUT_ID = b"<iq id='\x7f' from="
#: Rare in all that goes out, and in each such IQ: looking for one byte takes a tenth of looking for the beginning.
HINT_WITHOUT_ID = 0x7F
#: What each kind may be; None: without a type.
_TYPES: dict[str, set[str | None]] = {
    "message": {None, "normal", "chat", "groupchat", "headline"},
    "presence": {None, "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed"},
    "iq": set(),  # as whoever asks has it
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
    """Return the stanza that `content` is, without addresses but that of its only receiver.

    Raises:
        InvalidItem: it is none that may be sent; says where, by line and column.
    """
    return _build(judge_stanza(content, place), place)


def judge_stanza(content: str, place: str, *, iq_types: Collection[str] = ("get", "set")) -> Element:
    """Return the stanza that `content` is, in `jabber:client` and else as it is written there, if it may be sent.

    Raises:
        InvalidItem: as above.
    """
    try:
        stanza = parse_xml(content.encode("utf-8", "surrogatepass"), LIMITS)
    except XmlFault as fault:
        where = f"line {fault.line}, column {fault.column}: " if fault.line else ""
        raise _bad(place, f"{where}{fault.text}", "send one well-formed stanza") from None
    if stanza.namespace not in ("", CLIENT) or stanza.name not in _TYPES:
        raise _bad(place, f"{stanza.name[:80]!r} is no stanza", "send a message, presence or iq of jabber:client")
    types: Collection[str | None] = iq_types if stanza.name == "iq" else _TYPES[stanza.name]
    if stanza.get("type") not in types:
        known = ", ".join(sorted(name for name in types if name))
        raise _bad(place, f"the type {stanza.get('type')!r} can't be sent", f"use {known}")
    for child in stanza.elements:
        _check_child(stanza, child, place)
    for element in stanza.walk():
        if element.namespace == "":
            element.namespace = CLIENT
    return stanza


def _check_child(stanza: Element, child: Element, place: str) -> None:
    is_own = child.namespace in ("", CLIENT, stanza.namespace)
    if is_own and child.name not in _OWN_CHILDREN:
        raise _bad(
            place, f"{child.name[:80]!r} can't be in it", f"use {', '.join(sorted(_OWN_CHILDREN))}, or a namespace"
        )
    for element in child.walk():
        if element is not child and not is_own and element.namespace in ("", CLIENT):
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
    named = kept if stanza.name == "iq" else {"id": id_, **kept}
    text = write_element(Element(stanza.name, CLIENT, named, *stanza.children))
    sender, receiver = _address(stanza, "from", place), _address(stanza, "to", place)
    return XmppStanza(
        name=stanza.name,
        rest=text.removeprefix(f"<{stanza.name}").encode(),
        resource="" if sender is None else sender.resource,
        to="" if receiver is None else str(receiver.bare),
    )


def _address(stanza: Element, name: str, place: str) -> Jid | None:
    text = stanza.get(name)
    try:
        return None if text is None else parse_jid(text)
    except BadJid as error:
        raise _bad(place, f"its {name!r} is no address: {error}", "leave it out") from None


def check_receivers(items: Sequence[Item], rights: XmppRights) -> None:
    """Return if each stanza that names a receiver may go there.

    Raises:
        InvalidItem: the address gets nothing of that channel.
    """
    for number, item in enumerate(items):
        if item.xmpp_stanza is None or not item.xmpp_stanza.to:
            continue
        to = item.xmpp_stanza.to
        if item.channel not in rights.receivers.get(to, ()):
            problem = f"its 'to', {to[:200]}, is no active subscriber of channel {item.channel!r}"
            cure = "add the address as a subscriber of the channel, or leave 'to' out: it goes to each of them"
            raise _bad(f"items[{number}].xmpp-stanza", problem, cure)


def write_stanza(stanza: XmppStanza, *, sender: str) -> bytes:
    """Return the stanza as it goes out, from `sender`; its receiver is put in behind its name.

    One that is for one receiver alone has its `to` there; behind that, or the name, an IQ goes on as `WITHOUT_ID`.
    """
    address = f"{sender}/{stanza.resource}" if stanza.resource else sender
    receiver = f" to={quote_attribute(stanza.to)}" if stanza.to else ""
    id_ = " id='\x7f'" if stanza.name == "iq" else ""
    return f"<{stanza.name}{receiver}{id_} from={quote_attribute(address)}".encode() + stanza.rest


def _bad(place: str, message: str, cure: str) -> InvalidItem:
    return InvalidItem(message, cure=cure, field=f"{place}.content")

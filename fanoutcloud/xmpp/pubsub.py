"""PubSub requests (XEP-0060) to actions, and results to elements. Pure: what they do is in `channels`."""

from dataclasses import dataclass

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.jids import BadJid, Jid, parse_jid
from fanoutcloud.core.streams import StreamPosition, parse_position
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.xmpp.addresses import Node, parse_node
from fanoutcloud.xmpp.forms import FormResult, find_form
from fanoutcloud.xmpp.json_text import read_json
from fanoutcloud.xmpp.stanzas import StanzaError, pubsub_error

PUBSUB = "http://jabber.org/protocol/pubsub"
OWNER = "http://jabber.org/protocol/pubsub#owner"
SUBSCRIBE_OPTIONS = "http://jabber.org/protocol/pubsub#subscribe_options"
NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config"
RSM = "http://jabber.org/protocol/rsm"
SINCE = "fanout#since"

MAX_PAGE_ITEMS = 100
DEFAULT_PAGE_ITEMS = 20
MAX_ITEM_ID_BYTES = 512

#: What is asked for → the feature's name, where it is not offered.
_NOT_OFFERED = {
    (PUBSUB, "create"): "create-nodes",
    (PUBSUB, "configure"): "create-and-configure",
    (PUBSUB, "retract"): "delete-items",
    (PUBSUB, "options"): "subscription-options",
    (PUBSUB, "default"): "retrieve-default-sub",
    (PUBSUB, "publish-options"): "publish-options",
    (OWNER, "delete"): "delete-nodes",
    (OWNER, "purge"): "purge-nodes",
    (OWNER, "default"): "retrieve-default",
    (OWNER, "affiliations"): "modify-affiliations",
    (OWNER, "subscriptions"): "manage-subscriptions",
}


@dataclass(frozen=True, slots=True)
class Publish:
    node: Node
    item_id: str | None
    json: bytes


@dataclass(frozen=True, slots=True)
class Subscribe:
    """`jid` is as it was written; it stands for the sender's session, or for all of an admin's."""

    node: Node
    jid: Jid
    since: StreamPosition | None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    node: Node
    jid: Jid


@dataclass(frozen=True, slots=True)
class GetItems:
    """`before` None: not asked for; empty: the last page. Positions are as they were written."""

    node: Node
    limit: int
    after: StreamPosition | None = None
    before: StreamPosition | None = None
    item_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GetSubscriptions:
    node: Node | None


@dataclass(frozen=True, slots=True)
class GetAffiliations:
    node: Node | None


@dataclass(frozen=True, slots=True)
class GetConfiguration:
    node: Node


@dataclass(frozen=True, slots=True)
class Configure:
    node: Node
    form: FormResult


Action = (
    Publish | Subscribe | Unsubscribe | GetItems | GetSubscriptions | GetAffiliations | GetConfiguration | Configure
)


def parse_request(iq: Element, payload: Element, sender: Jid) -> Action:
    """Return what a PubSub request asks for.

    Raises:
        StanzaError: it is no request that is understood or offered.
    """
    is_set = iq.get("type") == "set"
    verb = next(iter(payload.elements), None)
    if verb is None or verb.namespace != payload.namespace:
        raise StanzaError("bad-request", "the request is empty; see XEP-0060")
    known = (payload.namespace, verb.name, is_set)
    match known:
        case (_, "publish", True) if payload.namespace == PUBSUB:
            return _parse_publish(payload, verb)
        case (_, "subscribe", True) if payload.namespace == PUBSUB:
            return _parse_subscribe(payload, verb, sender)
        case (_, "unsubscribe", True) if payload.namespace == PUBSUB:
            return Unsubscribe(parse_node(verb.get("node")), _own_jid(verb, sender))
        case (_, "items", False) if payload.namespace == PUBSUB:
            return _parse_items(payload, verb)
        case (_, "subscriptions", False) if payload.namespace == PUBSUB:
            return GetSubscriptions(_find_node(verb))
        case (_, "affiliations", False) if payload.namespace == PUBSUB:
            return GetAffiliations(_find_node(verb))
        case (_, "configure", _) if payload.namespace == OWNER:
            return _parse_configure(verb, is_set=is_set)
    feature = _NOT_OFFERED.get(known[:2])
    if feature is None:
        raise StanzaError("bad-request", f"there is no {iq.get('type')} of {verb.name!r}; see XEP-0060")
    raise _unsupported(feature, verb.name)


def _unsupported(feature: str, name: str) -> StanzaError:
    text = f"{name!r} is not offered: channels exist by themselves; publish, subscribe, or read items"
    return pubsub_error("feature-not-implemented", "unsupported", text, feature=feature)


def _find_node(verb: Element) -> Node | None:
    return None if verb.get("node") is None else parse_node(verb.get("node"))


def _parse_publish(payload: Element, verb: Element) -> Publish:
    if payload.find("publish-options") is not None:
        raise _unsupported("publish-options", "publish-options")
    node = parse_node(verb.get("node"))
    items = list(verb.find_all("item"))
    if len(items) != 1:
        text = f"one item is published at a time, and {len(items)} came; send one <item/>"
        raise pubsub_error("bad-request", "item-required" if not items else "invalid-payload", text)
    payloads = list(items[0].elements)
    if not payloads:
        raise pubsub_error(
            "bad-request", "payload-required", "the item is empty; put <json xmlns='urn:xmpp:json:0'/> in"
        )
    if len(payloads) > 1:
        raise pubsub_error("bad-request", "invalid-payload", "the item has several payloads; send one")
    item_id = items[0].get("id") or None
    if item_id is not None and len(item_id.encode()) > MAX_ITEM_ID_BYTES:
        raise StanzaError(
            "not-acceptable", f"the item's id is longer than {MAX_ITEM_ID_BYTES} bytes; use a shorter one"
        )
    return Publish(node, item_id, read_json(payloads[0]))


def _own_jid(verb: Element, sender: Jid) -> Jid:
    text = verb.get("jid")
    if not text:
        raise pubsub_error("bad-request", "jid-required", "name your own address in jid")
    try:
        jid = parse_jid(text)
    except BadJid as error:
        raise pubsub_error("bad-request", "invalid-jid", f"the jid can't be used: {error}") from None
    if jid.bare != sender.bare or (jid.is_full and jid != sender):
        raise pubsub_error("bad-request", "invalid-jid", f"the jid is not yours; use {sender}")
    return jid


def _parse_subscribe(payload: Element, verb: Element, sender: Jid) -> Subscribe:
    node, jid = parse_node(verb.get("node")), _own_jid(verb, sender)
    options = payload.find("options")
    form = None if options is None else find_form(options)
    if form is None:
        return Subscribe(node, jid, None)
    unknown = sorted(set(form.values) - {SINCE})
    if unknown or form.kind not in ("", SUBSCRIBE_OPTIONS):
        what = f"the fields {', '.join(unknown)}" if unknown else f"the form {form.kind}"
        raise pubsub_error("bad-request", "invalid-options", f"{what[:200]} can't be used; {SINCE} can")
    since = (form.find(SINCE) or "").strip()
    try:
        return Subscribe(node, jid, parse_position(since, field=SINCE) if since else None)
    except InvalidRequest as error:
        raise pubsub_error("bad-request", "invalid-options", error.line) from None


def _parse_items(payload: Element, verb: Element) -> GetItems:
    node = parse_node(verb.get("node"))
    item_ids = tuple(item.get("id") or "" for item in verb.find_all("item"))
    limit = read_count(verb.get("max_items"), "max_items")
    paging = payload.find("set", RSM)
    if paging is None:
        return GetItems(node, DEFAULT_PAGE_ITEMS if limit is None else limit, item_ids=item_ids[:MAX_PAGE_ITEMS])
    asked, after, before = (paging.find(name) for name in ("max", "after", "before"))
    size = None if asked is None else read_count(asked.text, "max", least=0)
    return GetItems(
        node,
        DEFAULT_PAGE_ITEMS if size is None else size,
        after=_read_position(after),
        before=_read_position(before),
        item_ids=item_ids[:MAX_PAGE_ITEMS],
    )


def read_count(text: str | None, name: str, *, least: int = 1) -> int | None:
    """Return a number of items, `MAX_PAGE_ITEMS` at most; None where none is given. Raises StanzaError: it is none."""
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) >= least):
        raise StanzaError("bad-request", f"{name} is no number; use {least} to {MAX_PAGE_ITEMS}")
    return min(int(digits), MAX_PAGE_ITEMS)


def _read_position(element: Element | None) -> StreamPosition | None:
    if element is None or not element.text.strip():
        return None
    try:
        return parse_position(element.text.strip())
    except InvalidRequest:
        raise StanzaError("item-not-found", "this is no position of the channel; begin anew without it") from None


def _parse_configure(verb: Element, *, is_set: bool) -> Configure | GetConfiguration:
    node = parse_node(verb.get("node"))
    if not is_set:
        return GetConfiguration(node)
    form = find_form(verb)
    if form is None or form.type not in ("submit", "cancel"):
        raise StanzaError("bad-request", "no submitted form came; get the configuration first, and send its form back")
    if form.kind not in ("", NODE_CONFIG):
        raise StanzaError("not-acceptable", f"the form is of {form.kind[:100]!r}; use {NODE_CONFIG}")
    return Configure(node, form)


# -- results


def subscription(node: Node, jid: Jid, *, namespace: str = PUBSUB) -> Element:
    """Return one subscription, as results have it."""
    return Element("subscription", namespace, {"node": str(node), "jid": str(jid), "subscription": "subscribed"})


def published(node: Node, item_id: str) -> Element:
    """Return the result of a publish."""
    item = Element("item", PUBSUB, {"id": item_id})
    return Element("pubsub", PUBSUB, None, Element("publish", PUBSUB, {"node": str(node)}, item))


def page_marks(first: str | None, last: str | None, count: int | None = None) -> Element:
    """Return where a page of history begins and ends (XEP-0059)."""
    marks = Element("set", RSM)
    for name, text in (("first", first), ("last", last), ("count", None if count is None else str(count))):
        if text is not None:
            marks.children.append(Element(name, RSM, None, text))
    return marks

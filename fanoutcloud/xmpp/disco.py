"""Discovery (XEP-0030): what the services say of themselves. Only what is offered is named. Pure."""

from collections.abc import Iterable, Sequence

from fanoutcloud.core.xml_elements import Element
from fanoutcloud.xmpp.forms import Field, write_form
from fanoutcloud.xmpp.pubsub import PUBSUB, RSM

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
PING = "urn:xmpp:ping"
COMMANDS = "http://jabber.org/protocol/commands"
META_DATA = "http://jabber.org/protocol/pubsub#meta-data"

PUBSUB_FEATURES = (
    PUBSUB,
    *(
        f"{PUBSUB}#{part}"
        for part in (
            "auto-create", "config-node", "item-ids", "last-published", "meta-data", "publish", "retrieve-affiliations",
            "retrieve-items", "retrieve-subscriptions", "rsm", "subscribe",
        )
    ),
    RSM,
    "urn:xmpp:json:0",
    INFO,
    ITEMS,
    PING,
)  # fmt: skip
COMMAND_FEATURES = (COMMANDS, "jabber:x:data", INFO, ITEMS, PING)
PLAIN_FEATURES = (INFO, ITEMS, PING)


def info(
    category: str, type_: str, name: str, features: Iterable[str], *forms: Element, node: str | None = None
) -> Element:
    """Return the answer to disco#info."""
    answer = Element("query", INFO, {} if node is None else {"node": node})
    answer.children.append(Element("identity", INFO, {"category": category, "type": type_, "name": name}))
    answer.children.extend(Element("feature", INFO, {"var": feature}) for feature in features)
    answer.children.extend(forms)
    return answer


def node_info(node: str, title: str, *, subscribers: int | None, is_public: bool) -> Element:
    """Return the answer to disco#info of a channel."""
    fields = [
        Field("pubsub#title", "", "text-single", values=(title,)),
        Field("pubsub#type", "", "text-single", values=("urn:xmpp:json:0",)),
        Field("pubsub#access_model", "", "list-single", values=("open" if is_public else "whitelist",)),
    ]
    if subscribers is not None:
        fields.append(Field("pubsub#num_subscribers", "", "text-single", values=(str(subscribers),)))
    return info("pubsub", "leaf", title, PUBSUB_FEATURES, write_form(fields, kind=META_DATA, type_="result"), node=node)


def items(entries: Sequence[dict[str, str]], *more: Element, node: str | None = None) -> Element:
    """Return the answer to disco#items: each entry has `jid`, and `node` and `name` where there are such."""
    answer = Element("query", ITEMS, {} if node is None else {"node": node})
    answer.children.extend(Element("item", ITEMS, entry) for entry in entries)
    answer.children.extend(more)
    return answer

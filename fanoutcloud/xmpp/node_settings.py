"""The configuration of a node (XEP-0060 §8.2) as a form: the channel's own rule in PubSub's words."""

from fanoutcloud.core.jids import Jid
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.core.xmpp_commands import CommandBook
from fanoutcloud.xmpp.access import Rights
from fanoutcloud.xmpp.addresses import Node
from fanoutcloud.xmpp.forms import Field, FormResult, write_form
from fanoutcloud.xmpp.pubsub import NODE_CONFIG
from fanoutcloud.xmpp.stanzas import StanzaError

#: Field of the form → setting of the rule.
_SETTINGS = {
    "pubsub#max_items": "history_items",
    "pubsub#item_expire": "history_age_s",
    "pubsub#access_model": "access",
    "fanout#presence": "presence",
}
_ACCESS = {"open": "public", "whitelist": "token"}


class BookNodeSettings:
    """See `channels.NodeSettings`."""

    def __init__(self, book: CommandBook) -> None:
        self._book = book

    async def read(self, rights: Rights, node: Node) -> Element:
        """See `NodeSettings.read`: what the rule says that holds for the channel, be it its own or not."""
        own = await self._book.read_node(node.realm, node.channel)
        retention = rights.realm.rules.find(node.channel).retention or rights.realm.retention
        access = own.get("access", rights.realm.rules.find(node.channel).access)
        values = {
            "pubsub#max_items": own.get("history_items", str(retention.items)),
            "pubsub#item_expire": own.get("history_age_s", str(int(retention.age_s))),
            "pubsub#access_model": "open" if access == "public" else "whitelist",
            "fanout#presence": own.get("presence", "0"),
        }
        labels = ("Items kept", "Seconds for which they are kept", "Who may subscribe", "Whether who is there is known")
        fields = [Field(name, label, values=(values[name],)) for name, label in zip(values, labels, strict=True)]
        return write_form(fields, kind=NODE_CONFIG)

    async def change(self, rights: Rights, node: Node, form: FormResult, *, asker: Jid) -> None:
        """See `NodeSettings.change`."""
        unknown = sorted(set(form.values) - set(_SETTINGS))
        if unknown:
            text = f"{', '.join(unknown)[:200]} can't be set; {', '.join(_SETTINGS)} can"
            raise StanzaError("not-acceptable", text)
        values = {_SETTINGS[name]: (form.find(name) or "").strip() for name in form.values}
        if "access" in values:
            if values["access"] not in _ACCESS:
                raise StanzaError("not-acceptable", "pubsub#access_model is open or whitelist")
            values["access"] = _ACCESS[values["access"]]
        await self._book.change_node(node.realm, node.channel, values, asker=str(asker.bare))

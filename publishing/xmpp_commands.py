"""Commands over XMPP: the services that REST calls, with the same checks and errors."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from channels.db import database_sync_to_async
from django.utils import timezone

from fanoutcloud.core.domains import Origin
from fanoutcloud.core.errors import InvalidRequest, Unavailable
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import ChannelName, RealmId, parse_channel_name
from fanoutcloud.core.reads import Whose
from fanoutcloud.core.streams import parse_position
from fanoutcloud.core.xmpp_commands import Command, CommandField
from publishing.apps import DeliveryPlane
from publishing.webhooks.endpoints import create_endpoint, remove_endpoint
from publishing.webhooks.selectors import list_endpoints
from publishing.xmpp_address_commands import (
    ASKER,
    Values,
    add_admin,
    add_receiver,
    list_admins,
    list_receivers,
    remove_admin,
    remove_receiver,
    set_stanza_url,
)
from realms.audit import Author, acting
from realms.domain_documents import read_domain
from realms.models import Realm
from realms.rule_settings import parse_settings
from realms.selectors import get_realm, list_domains, list_live_keys, list_realms_of_xmpp_admin, list_rules
from realms.services import (
    OriginChange,
    add_rule,
    change_origin,
    change_rule,
    claim_domain,
    issue_api_key,
    remove_domain,
    remove_rule,
    revoke_api_key,
)
from realms.usage import choose_range, read_usage

Do = Callable[[Realm, Values], list[str]]
_NODE = ("access", "history_items", "history_age_s", "presence")


_LABELS = {
    "after": "After this position",
    "channel": "Channel",
    "connection": "Connection, in place of the user",
    "domain": "Domain",
    "host": "Host",
    "id": "Number",
    "items": "The body of a publish request, in place of channel and JSON",
    "jid": "Address",
    "json-object": "JSON",
    "label": "Label",
    "max": "How many",
    "pattern": "Pattern of channels",
    "port": "Port",
    "prefix": "Prefix",
    "reason": "Reason",
    "settings": "Settings, as JSON",
    "token": "A token signed with a key of the realm",
    "url": "URL",
    "user": "User",
}
_TEXTS = {"items", "json-object", "settings"}


def _read_field(text: str) -> CommandField:
    """Return the field that a name stands for; a question mark behind it: it may be left out."""
    name = text.removesuffix("?")
    return CommandField(name, _LABELS[name], is_required=name == text, is_text=name in _TEXTS)


@dataclass(frozen=True, slots=True)
class _Entry:
    command: Command
    do: Do


class XmppCommands:
    """See `fanoutcloud.core.xmpp_commands.CommandBook`."""

    def __init__(self, plane: DeliveryPlane) -> None:
        self._plane = plane
        self._entries = {
            name: _Entry(Command(name, title, tuple(map(_read_field, fields.split()))), do)
            for name, title, do, fields in _TABLE
        }

    @property
    def commands(self) -> Sequence[Command]:
        return [entry.command for entry in self._entries.values()]

    async def list_realms(self, jid: Jid) -> Sequence[RealmId]:
        """See `CommandBook.list_realms`."""
        found: list[str] = await _list_realms(jid)
        return [RealmId(realm) for realm in found]

    async def run(self, realm: RealmId, name: str, values: Values, *, asker: str) -> list[str]:
        """See `CommandBook.run`."""
        if name == "publish":
            return await self._publish(realm, values)
        if name in ("channels", "channel-info", "history", "disconnect"):
            return await self._ask(realm, name, values)
        told: list[str] = await _in_thread(self._entries[name].do, realm, values, asker)
        return told

    async def read_node(self, realm: RealmId, channel: ChannelName) -> dict[str, str]:
        """See `CommandBook.read_node`."""
        read: dict[str, str] = await _read_node(realm, channel)
        return read

    async def change_node(self, realm: RealmId, channel: ChannelName, values: Values, *, asker: str) -> None:
        """See `CommandBook.change_node`."""
        await _in_thread(
            lambda found, given: _set_rule(found, str(channel), _without_asker(given)), realm, values, asker
        )

    # -- what the delivery plane does

    async def _publish(self, realm: RealmId, values: Values) -> list[str]:
        snapshot = await self._plane.directory.find_realm(realm)
        if snapshot is None:
            raise Unavailable("the realm can't be looked up")
        body = values.get("items", "").encode()
        if not body:
            try:
                content = msgspec.Raw(values.get("json-object", "").encode())
                msgspec.json.decode(content)
            except (msgspec.MsgspecError, RecursionError):
                raise InvalidRequest("is no JSON", cure='use such as {"text":"hi"}', field="json-object") from None
            item = {"channel": values.get("channel", ""), "json-object": content}
            body = msgspec.json.encode({"items": [item]})
        results = await self._plane.publisher.publish_items(snapshot, parse_publish(body), via="xmpp")
        places = [str(result.position.offset) if result.position else "waiting" for result in results]
        return [f"Published: offset {', '.join(places)}"]

    async def _ask(self, realm: RealmId, name: str, values: Values) -> list[str]:
        reads = self._plane.reads
        if name == "channels":
            page = await reads.channels(realm, prefix=values.get("prefix", ""))
            return [f"{one.channel}: {one.subscribers} subscribers" for one in page.channels] or [
                "no channel has subscribers"
            ]
        if name == "disconnect":
            ended = await reads.disconnect(realm, _whose(values), reason=values.get("reason", ""))
            return [f"{ended.connections} connections are being ended"]
        channel = parse_channel_name(values["channel"])
        if name == "channel-info":
            info = await reads.channel_info(realm, channel)
            by = ", ".join(f"{count} by {transport}" for transport, count in sorted(info.by_transport.items()))
            return [
                f"subscribers: {info.subscribers}{f' ({by})' if by else ''}",
                f"position: {info.position or 'none'}",
            ]
        after = parse_position(values["after"], field="after") if values.get("after") else None
        history = await reads.history(realm, channel, after=after, limit=_number(values.get("max") or "20", "max"))
        kept = history.items if after else history.items[::-1]
        return [f"{one.position} {one.item.first_content.decode(errors='replace')}" for one in kept] or [
            "nothing is kept"
        ]


def _whose(values: Values) -> Whose:
    user, connection = values.get("user"), values.get("connection")
    if bool(user) == bool(connection):
        raise InvalidRequest("name a user or a connection", cure="send one of both", field="user")
    return Whose(user=user, connection=connection)


def _without_asker(values: Values) -> Values:
    return {name: text for name, text in values.items() if name != ASKER}


def _elsewhere(realm: Realm, values: Values) -> list[str]:
    raise AssertionError("done by the delivery plane")


def _do(do: Do, realm: RealmId, values: Values, asker: str) -> list[str]:
    with acting(lambda: Author(f"xmpp:{asker}"[:200], f"{asker}, over XMPP")):
        return do(get_realm(realm), {**values, ASKER: asker})


def _read(realm: RealmId, channel: ChannelName) -> dict[str, str]:
    row = list_rules(get_realm(realm)).filter(pattern=channel).first()
    document = {} if row is None else row.document
    return {name: _text(document[name]) for name in _NODE if document.get(name) is not None}


_list_realms = database_sync_to_async(list_realms_of_xmpp_admin, thread_sensitive=False)
_in_thread = database_sync_to_async(_do, thread_sensitive=False)
_read_node = database_sync_to_async(_read, thread_sensitive=False)


def _text(value: object) -> str:
    return ("1" if value else "0") if isinstance(value, bool) else str(value)


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest("is no number", cure="use digits", field=field)
    return int(text)


# -- keys


def _list_keys(realm: Realm, values: Values) -> list[str]:
    return [f"{key.pk}: …{key.hint} {key.label}".rstrip() for key in list_live_keys(realm)]


def _add_key(realm: Realm, values: Values) -> list[str]:
    issued = issue_api_key(realm=realm, issued_by=None, label=values.get("label", ""))
    return [f"key {issued.key.pk}: {issued.secret}"]


def _revoke_key(realm: Realm, values: Values) -> list[str]:
    revoke_api_key(realm=realm, key_id=_number(values["id"], "id"))
    return ["the key is revoked"]


# -- rules


def _list_rules(realm: Realm, values: Values) -> list[str]:
    return [f"{row.pattern} {json.dumps(row.document)}" for row in list_rules(realm)] or ["there is no rule"]


def _set_rule_of(realm: Realm, values: Values) -> list[str]:
    try:
        settings = json.loads(values["settings"])
    except (ValueError, RecursionError):
        raise InvalidRequest("is no JSON", cure='use such as {"access":"token"}', field="settings") from None
    if not isinstance(settings, dict):
        raise InvalidRequest("is no JSON object", cure='use such as {"access":"token"}', field="settings")
    return _store_rule(realm, values["pattern"], settings)


def _store_rule(realm: Realm, pattern: str, settings: Mapping[str, object]) -> list[str]:
    parsed = parse_settings(settings)
    row = list_rules(realm).filter(pattern=pattern).first()
    if row is None:
        row = add_rule(realm=realm, pattern=pattern, settings=parsed)
    else:
        row = change_rule(realm=realm, rule_id=row.pk, pattern=pattern, settings=parsed)
    return [f"the rule of {row.pattern} is set"]


def _set_rule(realm: Realm, channel: str, values: Values) -> list[str]:
    """Change the rule of one channel, by texts; what is not given stays."""
    row = list_rules(realm).filter(pattern=channel).first()
    settings: dict[str, object] = dict(row.document) if row is not None else {}
    for name, text in values.items():
        if name == "presence":
            settings[name] = text in ("1", "true")
        else:
            settings[name] = text if name == "access" else _number(text, name)
    return _store_rule(realm, channel, settings)


def _remove_rule(realm: Realm, values: Values) -> list[str]:
    row = list_rules(realm).filter(pattern=values["pattern"]).first()
    remove_rule(realm=realm, rule_id=0 if row is None else row.pk)
    return ["the rule is removed"]


# -- domains and origins


def _list_domains(realm: Realm, values: Values) -> list[str]:
    found = []
    for row in list_domains(realm):
        origins = ", ".join(origin.authority for origin in read_domain(row).origins)
        found.append(f"{row.name or 'built-in'}: {origins or 'no origin'}")
    return found


def _add_domain(realm: Realm, values: Values) -> list[str]:
    row = claim_domain(realm=realm, name=values["domain"])
    return [f"{row.name} is added; it serves once it is proven"]


def _remove_domain(realm: Realm, values: Values) -> list[str]:
    remove_domain(realm=realm, name=values["domain"])
    return ["the domain is removed"]


def _set_origin(realm: Realm, values: Values) -> list[str]:
    origin = Origin(values["host"], _number(values["port"], "port"))
    change_origin(realm=realm, name=values.get("domain", ""), change=OriginChange(plain=(origin,)))
    return [f"requests are passed on to {origin.authority}"]


# -- webhooks and usage


def _list_webhooks(realm: Realm, values: Values) -> list[str]:
    return [f"{row.pk}: {row.url} ({row.state})" for row in list_endpoints(realm)] or ["there is no webhook"]


def _add_webhook(realm: Realm, values: Values) -> list[str]:
    created = create_endpoint(realm=realm, url=values["url"], patterns=(values.get("pattern") or "*",))
    return [f"webhook {created.endpoint.pk} is added; reveal its secret on its page"]


def _remove_webhook(realm: Realm, values: Values) -> list[str]:
    remove_endpoint(realm=realm, endpoint_id=_number(values["id"], "id"))
    return ["the webhook is removed"]


def _stats(realm: Realm, values: Values) -> list[str]:
    today = timezone.now().date()
    report = read_usage([realm], *choose_range(today - timedelta(days=6), today))
    return [
        f"{day.day}: {day.usage.received} received, {day.usage.delivered} delivered, "
        f"{day.usage.max_connected} connected at most"
        for day in report.days
    ]


_TABLE: tuple[tuple[str, str, Do, str], ...] = (
    ("publish", "Publish", _elsewhere, "channel? json-object? items?"),
    ("channels", "List channels that have subscribers", _elsewhere, "prefix?"),
    ("channel-info", "Look at a channel", _elsewhere, "channel"),
    ("history", "Read what a channel keeps", _elsewhere, "channel max? after?"),
    ("disconnect", "End the connections of a user, or one", _elsewhere, "user? reason? connection?"),
    ("stats", "See usage of the last week", _stats, ""),
    ("admin-list", "List XMPP admins", list_admins, ""),
    ("admin-add", "Add an XMPP admin", add_admin, "jid token?"),
    ("admin-remove", "Remove an XMPP admin", remove_admin, "jid"),
    ("subscriber-list", "List addresses that were added as subscribers", list_receivers, "channel?"),
    ("subscriber-add", "Send a channel's stanzas to an address", add_receiver, "channel jid"),
    ("subscriber-remove", "Send a channel's stanzas to an address no more", remove_receiver, "channel jid"),
    ("stanza-url-set", "Post stanzas to the realm to a URL, or to none", set_stanza_url, "url?"),
    ("key-list", "List keys", _list_keys, ""),
    ("key-add", "Add a key", _add_key, "label?"),
    ("key-revoke", "Revoke a key", _revoke_key, "id"),
    ("rule-list", "List channel rules", _list_rules, ""),
    ("rule-set", "Set a channel rule", _set_rule_of, "pattern settings"),
    ("rule-remove", "Remove a channel rule", _remove_rule, "pattern"),
    ("domain-list", "List domains and origins", _list_domains, ""),
    ("domain-add", "Add a domain", _add_domain, "domain"),
    ("domain-remove", "Remove a domain", _remove_domain, "domain"),
    ("origin-get", "See domains and origins", _list_domains, ""),
    ("origin-set", "Set the origin of the built-in domain, or another", _set_origin, "host port domain?"),
    ("webhook-list", "List webhooks", _list_webhooks, ""),
    ("webhook-add", "Add a webhook", _add_webhook, "url pattern?"),
    ("webhook-remove", "Remove a webhook", _remove_webhook, "id"),
)

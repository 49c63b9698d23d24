"""`api.D`: commands with forms (XEP-0050), and as lines of a chat with `admin-{realm}@api.D`.

A form that comes at once is done at once; else it is sent first, in a session that belongs to the full address which
began it. Rights are looked up again for each step.
"""

import secrets
import shlex
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from fanoutcloud.core.activity import ActivitySink, Commanded
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import FanoutError, Unauthorized
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import RealmId, find_realm_id
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.core.xmpp_commands import Command, CommandBook
from fanoutcloud.xmpp import disco
from fanoutcloud.xmpp.access import Access
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.forms import Field, FormResult, find_form, write_form
from fanoutcloud.xmpp.gateway import Service, not_offered
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import CLIENT, StanzaError, result_of, to_stanza_error

COMMANDS = disco.COMMANDS
SESSION_S = 300.0
MAX_SESSIONS_PER_JID = 10
MAX_SESSIONS = 10_000
MAX_LINE_CHARACTERS = 65_536
MAX_SHOWN_CHARACTERS = 200
#: Opened by a token, too, as in the service of old: nobody else could put the first address on the list.
_BY_TOKEN = "admin-add"  # noqa: S105 - a command's name


@dataclass(frozen=True, slots=True)
class _Begun:
    jid: Jid
    node: str
    to: Jid
    ends_at: float


class CommandService(Service):
    """Commands of all realms, and of one at its own address."""

    def __init__(
        self, book: CommandBook, access: Access, domains: Domains, clock: Clock, activity: ActivitySink
    ) -> None:
        self._book = book
        self._access = access
        self._domains = domains
        self._clock = clock
        self._activity = activity
        self._commands = {command.name: command for command in book.commands}
        self._sessions: OrderedDict[str, _Begun] = OrderedDict()

    async def answer(self, session: Session, iq: Element, payload: Element, to: Jid) -> Element | None:
        node = payload.get("node")
        is_get = iq.get("type") == "get"
        if payload.namespace == disco.INFO and is_get:
            return result_of(iq, self._info(node))
        if payload.namespace == disco.ITEMS and is_get:
            return result_of(iq, await self._items(session, node, to))
        if payload.namespace == COMMANDS and payload.name == "command" and not is_get:
            return result_of(iq, await self._command(session, payload, to))
        raise not_offered(payload)

    def _info(self, node: str | None) -> Element:
        if node is None or node == COMMANDS:
            name = "Commands" if node is None else "What can be done"
            category = ("automation", "command-list" if node else "rpc")
            return disco.info(*category, name, disco.COMMAND_FEATURES, node=node)
        if node not in self._commands:
            raise StanzaError("item-not-found", "there is no such command")
        title = self._commands[node].title
        return disco.info("automation", "command-node", title, (COMMANDS, "jabber:x:data"), node=node)

    async def _items(self, session: Session, node: str | None, to: Jid) -> Element:
        if node is None:
            return disco.items([])
        if node != COMMANDS:
            raise StanzaError("item-not-found", f"the commands are at the node {COMMANDS}")
        realm = self._fixed_realm(to)
        if realm is not None and not (await self._access.find_rights(session, realm)).is_admin:
            allowed = [self._commands[_BY_TOKEN]]
        else:
            allowed = list(self._commands.values())
        entries = [{"jid": str(to), "node": one.name, "name": one.title} for one in allowed]
        return disco.items(entries, node=node)

    def _fixed_realm(self, to: Jid) -> RealmId | None:
        """Return the realm of `admin-{realm}@api.D`; None at the address of all realms."""
        if not to.local:
            return None
        realm = find_realm_id(self._domains.find_admin_realm(to) or "")
        if realm is None:
            raise StanzaError("item-not-found", "commands are at admin-REALM@api.DOMAIN")
        return realm

    # -- XEP-0050

    async def _command(self, session: Session, payload: Element, to: Jid) -> Element:
        node, action = payload.get("node") or "", payload.get("action") or "execute"
        command = self._commands.get(node)
        if command is None:
            raise StanzaError("item-not-found", f"there is no command {node[:80]!r}; list them with service discovery")
        begun = self._find_begun(payload.get("sessionid"), session.jid, node, to)
        if action == "cancel":
            return self._end(begun, node, "canceled")
        if action not in ("execute", "complete", "next"):
            raise _bad("bad-action", "use execute, complete or cancel")
        form = find_form(payload)
        if form is not None and form.type == "cancel":
            return self._end(begun, node, "canceled")
        fixed = self._fixed_realm(to)
        if form is None and begun is None and (command.fields or fixed is None):
            return self._ask(session.jid, command, to, fixed)
        lines = await self._do(session, command, _values_of(form), fixed)
        done = self._end(begun, node, "completed")
        done.children.append(Element("note", COMMANDS, {"type": "info"}, "\n".join(lines)))
        fields = [Field("result", "Result", "text-multi", values=tuple(lines))]
        done.children.append(write_form(fields, type_="result", title=command.title))
        return done

    def _ask(self, jid: Jid, command: Command, to: Jid, fixed: RealmId | None) -> Element:
        self._make_room(jid)
        name = secrets.token_urlsafe(12)
        self._sessions[name] = _Begun(jid, command.name, to, self._clock.monotonic() + SESSION_S)
        fields = [] if fixed is not None else [Field("realm", "Realm", "text-single", is_required=True)]
        fields += [
            Field(
                one.name,
                one.label,
                "text-multi" if one.is_text else "jid-single" if one.name == "jid" else "text-single",
                is_required=one.is_required,
            )
            for one in command.fields
        ]
        answer = Element("command", COMMANDS, {"node": command.name, "sessionid": name, "status": "executing"})
        answer.children.append(Element("actions", COMMANDS, {"execute": "complete"}, Element("complete", COMMANDS)))
        answer.children.append(write_form(fields, title=command.title))
        return answer

    def _make_room(self, jid: Jid) -> None:
        now = self._clock.monotonic()
        while self._sessions and next(iter(self._sessions.values())).ends_at <= now:
            self._sessions.popitem(last=False)
        if sum(one.jid == jid for one in self._sessions.values()) >= MAX_SESSIONS_PER_JID:
            text = f"{MAX_SESSIONS_PER_JID} commands are begun; complete or cancel one"
            raise StanzaError("resource-constraint", text)
        if len(self._sessions) >= MAX_SESSIONS:
            raise StanzaError("resource-constraint", "too many commands are begun; try again in a minute")

    def _find_begun(self, name: str | None, jid: Jid, node: str, to: Jid) -> str | None:
        """Return the name of the session that a step belongs to; None: it begins one."""
        if name is None:
            return None
        begun = self._sessions.get(name)
        if begun is None or (begun.jid, begun.node, begun.to) != (jid, node, to):
            raise _bad("bad-sessionid", "you have begun no such session; begin again")
        if begun.ends_at <= self._clock.monotonic():
            del self._sessions[name]
            detail = Element("session-expired", COMMANDS)
            raise StanzaError("not-allowed", "the session is over; begin again", detail=detail)
        return name

    def _end(self, begun: str | None, node: str, status: str) -> Element:
        if begun is not None:
            self._sessions.pop(begun, None)
        name = begun or secrets.token_urlsafe(12)
        return Element("command", COMMANDS, {"node": node, "sessionid": name, "status": status})

    async def _do(
        self, session: Session, command: Command, values: Mapping[str, str], fixed: RealmId | None
    ) -> list[str]:
        """Do a command for whoever asks, if they may, and show it to watchers of the realm.

        Raises:
            StanzaError: they may not, or it can't be done.
        """
        realm = fixed or find_realm_id(values.get("realm", ""))
        if realm is None:
            raise _bad("bad-payload", "realm: name the realm")
        try:
            lines = await self._do_in(session, realm, command, values)
        except StanzaError as error:
            self._show(session, realm, command, values, outcome=error.condition, message=error.text)
            raise
        self._show(session, realm, command, values, outcome="done", message="")
        return lines

    def _show(
        self,
        session: Session,
        realm: RealmId,
        command: Command,
        values: Mapping[str, str],
        *,
        outcome: str,
        message: str,
    ) -> None:
        """Tell of a command; of its fields the channel alone, since there are keys and tokens in others."""
        if self._activity.is_watched(realm):
            channel = values.get("channel", "")[:MAX_SHOWN_CHARACTERS]
            user = str(session.jid.bare)[:MAX_SHOWN_CHARACTERS]
            event = Commanded(self._clock.now(), command.name, user, channel, outcome, message)
            self._activity.record(realm, event)

    async def _do_in(self, session: Session, realm: RealmId, command: Command, values: Mapping[str, str]) -> list[str]:
        known = {"realm", *(field.name for field in command.fields)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise _bad(
                "bad-payload", f"{unknown[0][:80]}: this command has no such field; use {', '.join(sorted(known))}"
            )
        for field in command.fields:
            if field.is_required and not values.get(field.name):
                raise _bad("bad-payload", f"{field.name}: is needed")
        given = {name: value for name, value in values.items() if name not in ("realm", "token") and value}
        await self._check(session, realm, command, values.get("token"))
        try:
            return await self._book.run(realm, command.name, given, asker=str(session.jid.bare))
        except FanoutError as error:
            raise to_stanza_error(error) from None

    async def _check(self, session: Session, realm: RealmId, command: Command, token: str | None) -> None:
        rights = await self._access.find_rights(session, realm)
        if rights.is_admin:
            return
        if command.name == _BY_TOKEN and token:
            try:
                await self._access.check_key(realm, token, address=session.address)
            except Unauthorized as error:
                raise StanzaError("not-authorized", error.line) from None
            except FanoutError as error:
                raise to_stanza_error(error) from None
            return
        raise StanzaError(
            "item-not-found", "there is no such realm for you; its admins can put your address on their list"
        )

    # -- chat

    async def hear(self, session: Session, message: Element, to: Jid) -> None:
        """Answer a line of a chat. Never what another program could have said by itself: two would go on for ever."""
        body = message.find("body")
        if message.get("type") not in (None, "chat", "normal") or body is None or not body.text.strip() or not to.local:
            return
        if (
            any(one.namespace in _NOT_FOR_US for one in message.elements)
            or session.jid.domain in self._domains.services
        ):
            return
        try:
            lines = await self._say(session, body.text.strip()[:MAX_LINE_CHARACTERS], to)
        except StanzaError as error:
            lines = [error.text]
        attributes = {"from": str(to), "to": str(session.jid), "id": secrets.token_hex(6)}
        if message.get("type") is not None:
            attributes["type"] = message.get("type") or ""
        answer = Element("message", CLIENT, attributes, Element("body", CLIENT, None, "\n".join(lines)))
        if (thread := message.find("thread")) is not None:
            answer.children.append(Element("thread", CLIENT, None, thread.text))
        session.outlet.send(answer)

    async def _say(self, session: Session, line: str, to: Jid) -> list[str]:
        realm = self._fixed_realm(to)
        try:
            name, *words = shlex.split(line)
        except ValueError as error:
            raise StanzaError("bad-request", f"this is no command: {error}".lower()) from None
        name = _SHORT.get(name.lower(), name.lower())
        if name == "help":
            return [command.usage for command in self._commands.values()]
        command = self._commands.get(name)
        if command is None:
            raise StanzaError("item-not-found", f"there is no command {name[:80]!r}; say help")
        return await self._do(session, command, _read_words(command, words), realm)

    async def see(self, session: Session, presence: Element, to: Jid) -> None:
        """Let admins have the realm's address among their contacts."""
        type_, realm = presence.get("type"), find_realm_id(self._domains.find_admin_realm(to) or "")
        if realm is None or type_ not in (None, "subscribe", "probe"):
            return
        send = partial(self._send_presence, session, to)
        if not (await self._access.find_rights(session, realm)).is_admin:
            if type_ == "subscribe":
                send("unsubscribed")
            return
        if type_ == "subscribe":
            send("subscribed")
        send("")

    def _send_presence(self, session: Session, sender: Jid, type_: str) -> None:
        attributes = {"from": str(sender), "to": str(session.jid.bare)} | ({"type": type_} if type_ else {})
        session.outlet.send(Element("presence", CLIENT, attributes))


_NOT_FOR_US = {"urn:xmpp:carbons:2", "urn:xmpp:forward:0", "urn:xmpp:delay"}
_SHORT = {"info": "channel-info"}


def _bad(detail: str, text: str) -> StanzaError:
    return StanzaError("bad-request", text, detail=Element(detail, COMMANDS))


def _values_of(form: FormResult | None) -> dict[str, str]:
    if form is None:
        return {}
    return {name: (form.find(name) or "").strip() for name in form.values if name}


def _read_words(command: Command, words: list[str]) -> dict[str, str]:
    """Return the fields that words of a line give: `--name value`, `--name=value`, and the others in their order.

    Raises:
        StanzaError: there are more words than fields.
    """
    values: dict[str, str] = {}
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            values[name] = value if equals else next(rest, "")
        else:
            plain.append(word)
    names = [field.name for field in command.fields if field.name not in values]
    if len(plain) > len(names):
        raise StanzaError("bad-request", f"too many words; use {command.usage} (JSON in single quotes)")
    return values | dict(zip(names, plain, strict=False))

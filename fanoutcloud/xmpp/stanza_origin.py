"""Stanzas to a realm, handed to its own web application: a POST each, and stanzas in the answer (docs/api/xmpp.md)."""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from fanoutcloud.core.activity import ActivitySink, OriginFailure, PassedOn
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import InvalidItem
from fanoutcloud.core.jids import Jid, find_jid
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.stanza_format import judge_stanza
from fanoutcloud.core.xml_elements import Element, write_element
from fanoutcloud.outbound.calls import Call, CallLimits, CallRecord, HttpClient, perform
from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.gate import GateRules, Target, parse_url
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.stanzas import CLIENT, StanzaError

MEDIA_TYPE = b"application/xmpp+xml; charset=utf-8"
ANSWER_S = 15.0
MAX_ANSWER_BYTES = 262_144
MAX_STANZAS_IN_ANSWER = 50
#: Under way at once, for one realm.
MAX_CALLS_OF_REALM = 20

_LIMITS = CallLimits(
    head_s=ANSWER_S, total_s=ANSWER_S, read_bytes=MAX_ANSWER_BYTES + 1, kept_bytes=MAX_ANSWER_BYTES + 1
)
_ANSWERS = frozenset({"get", "set", "result"})


@dataclass(frozen=True, slots=True)
class OriginParts:
    """What asking needs of the process. `sign` returns `Grip-Sig`, or None where a realm has no key."""

    client: HttpClient
    rules: GateRules
    sign: Callable[[RealmSnapshot], bytes | None]
    activity: ActivitySink
    clock: Clock


class StanzaOrigin:
    """One per gateway. Asks with deadlines and bounds; what is wrong is shown in the realm's live console."""

    def __init__(self, parts: OriginParts, domains: Domains) -> None:
        self._parts = parts
        self._domains = domains
        self._calls: Counter[RealmId] = Counter()

    async def ask(self, realm: RealmSnapshot, stanza: Element, sender: Jid, to: Jid) -> list[Element]:
        """Hand over one stanza; return those of the answer, checked and built anew.

        Raises:
            StanzaError: the application can't be asked, or answers with what may not be sent. Nothing is.
        """
        if self._calls[realm.realm] >= MAX_CALLS_OF_REALM:
            raise StanzaError("resource-constraint", f"{MAX_CALLS_OF_REALM} stanzas wait for this application")
        self._calls[realm.realm] += 1
        try:
            return await self._ask(realm, stanza, sender, to)
        finally:
            self._calls[realm.realm] -= 1
            if not self._calls[realm.realm]:
                del self._calls[realm.realm]

    async def _ask(self, realm: RealmSnapshot, stanza: Element, sender: Jid, to: Jid) -> list[Element]:
        try:
            target = find_target(realm.xmpp.stanza_url, to, self._parts.rules)
        except Blocked as blocked:
            raise self._failed(realm, None, sender, "blocked", str(blocked), blocked.cure) from None
        body = write_element(whole(stanza, sender, to), within="").encode()
        headers = [
            (b"content-type", MEDIA_TYPE),
            (b"accept", MEDIA_TYPE),
            (b"user-agent", b"FanoutCloud-XMPP/1"),
            (b"fanout-realm", realm.realm.encode()),
        ]
        if (signature := self._parts.sign(realm)) is not None:
            headers.append((b"grip-sig", signature))
        call = Call(target, headers=headers, body=body)
        record = await perform(self._parts.client, call, tenant=realm.realm, limits=_LIMITS)
        self._tell(realm, target, sender, record)
        if record.error is not None:
            error = record.error
            raise self._failed(realm, target, sender, error.cause, str(error), error.cure)
        if record.status == 204:
            return []
        if record.status != 200:
            cure = "answer 200 with stanzas, one in each line, or 204"
            raise self._failed(realm, target, sender, "status", f"it answers with {record.status}", cure)
        if not record.is_body_whole or record.body_bytes > MAX_ANSWER_BYTES:
            problem = f"its answer is not whole within {MAX_ANSWER_BYTES:,} bytes"
            raise self._failed(realm, target, sender, "body", problem, "answer with less")
        try:
            return self._read(realm, stanza, sender, record.body)
        except InvalidItem as error:
            raise self._failed(realm, target, sender, "answer", str(error), error.cure) from None

    def _read(self, realm: RealmSnapshot, stanza: Element, sender: Jid, body: bytes) -> list[Element]:
        lines = [line.strip() for line in body.decode(errors="replace").splitlines()]
        texts = [(f"line {number}", line) for number, line in enumerate(lines, 1) if line]
        if len(texts) > MAX_STANZAS_IN_ANSWER:
            raise _bad("answer", f"it holds {len(texts)} stanzas", f"send {MAX_STANZAS_IN_ANSWER} at most")
        return [self._judge(realm, stanza, sender, place, text) for place, text in texts]

    def _judge(self, realm: RealmSnapshot, stanza: Element, sender: Jid, place: str, text: str) -> Element:
        answer = judge_stanza(text, place, iq_types=_ANSWERS)
        from_, to = find_jid(answer.get("from")), find_jid(answer.get("to"))
        if from_ is None or self._domains.find_stanza_realm(from_) != realm.realm:
            own = self._domains.sender_of(realm.realm)
            raise _bad(place, "its 'from' is no address of the realm", f"use {own}, or {realm.realm.lower()}.NAME@…")
        if to is None or (to.bare != sender.bare and str(to.bare) not in realm.xmpp.receivers):
            raise _bad(place, "its 'to' is neither who has written nor a subscriber that was added", f"use {sender}")
        kept = {name: value for name, value in answer.attributes.items() if name not in ("from", "to", "id")}
        id_ = (answer.get("id") or "")[:128] or secrets.token_hex(8)
        if answer.name == "iq":
            is_answer = answer.get("type") == "result"
            if is_answer and (stanza.name != "iq" or id_ != stanza.get("id") or to != sender):
                raise _bad(place, "it answers no IQ that was asked", "take 'id' and 'to' from the IQ")
            id_ = id_ if is_answer else secrets.token_hex(8)
        return Element(answer.name, CLIENT, {"from": str(from_), "to": str(to), "id": id_, **kept}, *answer.children)

    def _tell(self, realm: RealmSnapshot, target: Target, sender: Jid, record: CallRecord) -> None:
        if record.status is not None and self._parts.activity.is_watched(realm.realm):
            at, origin = self._parts.clock.now(), target.endpoint.authority
            event = PassedOn(at, origin, "POST", target.path, record.status, record.total_s, str(sender.bare))
            self._parts.activity.record(realm.realm, event)

    def _failed(
        self, realm: RealmSnapshot, target: Target | None, sender: Jid, cause: str, message: str, cure: str
    ) -> StanzaError:
        """Show watchers what is wrong; return what whoever has written is told: not that."""
        if self._parts.activity.is_watched(realm.realm):
            origin, path = ("", "") if target is None else (target.endpoint.authority, target.path)
            event = OriginFailure(
                at=self._parts.clock.now(),
                origin=origin,
                method="POST",
                path=path,
                cause=cause,
                message=message,
                cure=cure,
                field=None,
                status=503,
                address=str(sender.bare),
            )
            self._parts.activity.record(realm.realm, event)
        return StanzaError("service-unavailable", "the application does not answer; try again later", type_="wait")


def find_target(url: str, to: Jid, rules: GateRules) -> Target:
    """Return where a stanza to an address is posted: the address is the last part of the path.

    Raises:
        Blocked: the URL names no server that may be called.
    """
    target = parse_url(url, rules)
    path, question, query = target.path.partition("?")
    return Target(target.endpoint, f"{path.rstrip('/')}/{quote(str(to.bare), safe='@')}{question}{query}")


def whole(stanza: Element, sender: Jid, to: Jid) -> Element:
    """Return a stanza with both addresses, as their servers vouch for them."""
    attributes = {**stanza.attributes, "from": str(sender), "to": str(to)}
    return Element(stanza.name, CLIENT, attributes, *stanza.children)


def _bad(place: str, message: str, cure: str) -> InvalidItem:
    return InvalidItem(message, cure=cure, field=place)

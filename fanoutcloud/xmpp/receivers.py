"""Addresses that get a realm's whole stanzas without having subscribed (docs/topics/xmpp.md).

Who they are is in the realm's snapshot; here they become subscribers of the hub, one session for each realm and
address. What comes back from them is counted: ten errors in a row, or one that says that nobody is there, pause them.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Protocol

from fanoutcloud.core.access import Grant, Permission
from fanoutcloud.core.directory import RealmDirectory, RealmSnapshot
from fanoutcloud.core.errors import FanoutError, Unavailable
from fanoutcloud.core.jids import Jid, find_jid
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import ChannelPattern
from fanoutcloud.core.xml_elements import Element, quote_attribute, write_element
from fanoutcloud.core.xmpp_receivers import Question, ReceiverBook
from fanoutcloud.core.xmpp_subscriptions import SubscriptionName
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.xmpp.access import Rights
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.asked_ids import AskedIds
from fanoutcloud.xmpp.channels import Channels
from fanoutcloud.xmpp.keeping import RETRY_S, Keeper
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import CLIENT, StanzaError, find_error_condition

#: All is looked at again this often, whether an announcement came or not.
REVIEW_S = 60.0
MAX_ERRORS_IN_A_ROW = 10
#: Conditions that say that nobody will be there later either.
_NOBODY = {"gone", "item-not-found", "remote-server-not-found"}
#: Stanzas whose errors can still be told apart from those of others.
_MAX_SENT = 64
_QUESTION = "question-"
_EVERY_CHANNEL = (Permission(ChannelPattern("", is_prefix=True), frozenset({"subscribe"})),)
_ID = re.compile(rb"\sid='([^']*)'")


class Way(Protocol):
    """A door, as receivers are reached through it."""

    def reaches(self, jid: Jid) -> bool:
        """Tell whether the address could be reached here."""

    def send_to(self, jid: Jid, stanza: bytes) -> bool:
        """Send a stanza of `stanza.D`, which has its `to`; tell whether anybody takes it."""

    def unsent_bytes(self) -> int: ...

    async def drained(self) -> None: ...


class ReceiverOutlet:
    """The way to one receiver of one realm. A stanza that is for one address alone is passed over by all others."""

    takes_several = False

    def __init__(self, jid: Jid, ways: Sequence[Way], asked: AskedIds) -> None:
        self._jid = jid
        self._to = f"to={quote_attribute(str(jid))} ".encode()
        self._ways = ways
        self._asked = asked
        self._sent: dict[str, bool] = {}  # id → whether it came back, in the order of sending

    def write(self, frame: bytes) -> None:
        name, _, rest = frame.partition(b" ")
        if rest.startswith(b"to="):
            if not rest.startswith(self._to):
                return
            rest = rest[len(self._to) :]
        if not rest:
            return
        stanza = self._asked.number(name + b" " + rest, self._jid)
        self._note_sent(stanza)
        whole = name + b" " + self._to + stanza[len(name) + 1 :]
        next((way for way in self._ways if way.send_to(self._jid, whole)), None)

    def _note_sent(self, stanza: bytes) -> None:
        found = _ID.search(stanza, 0, stanza.find(b">"))
        if found is not None:
            id_ = found[1].decode()
            self._sent.pop(id_, None)
            self._sent[id_] = False
            if len(self._sent) > _MAX_SENT:
                del self._sent[next(iter(self._sent))]

    def note_answer(self, id_: str, *, is_error: bool) -> int:
        """Take what came back; return how many that were sent one after the other have. Errors come in any order."""
        if not is_error:
            self._sent.clear()
        elif id_ in self._sent:
            self._sent[id_] = True
            return max(len(list(run)) for has_failed, run in groupby(self._sent.values()) if has_failed)
        return 0

    def send(self, stanza: Element) -> None:
        """Send a whole stanza."""
        data = write_element(stanza).encode()
        next((way for way in self._ways if way.send_to(self._jid, data)), None)

    def unsent_bytes(self) -> int:
        return max(way.unsent_bytes() for way in self._ways)

    async def drained(self) -> None:
        for way in self._ways:
            await way.drained()

    def close(self, code: int, reason: str) -> None:
        """A subscriber has ended; there is no connection of its own."""

    def end(self, condition: str, text: str) -> None:
        """The same."""


class Receivers:
    """One per gateway; `run` until cancelled."""

    def __init__(
        self,
        channels: Channels,
        hub: Hub,
        directory: RealmDirectory,
        book: ReceiverBook,
        asked: AskedIds,
        domains: Domains,
    ) -> None:
        self.sessions: dict[tuple[RealmId, Jid], Session] = {}
        #: Where positions are kept; without, receivers go on with what is new.
        self.keeper: Keeper | None = None
        self.ways: list[Way] = []
        #: False while nothing can be sent.
        self.is_up: Callable[[], bool] = lambda: True
        self._channels = channels
        self._hub = hub
        self._directory = directory
        self._book = book
        self._asked = asked
        self._domains = domains
        self._changed: set[RealmId] = set()
        self._wake = asyncio.Event()
        self._is_leaving = False

    def realm_changed(self, realm: RealmId) -> None:
        """Know that a realm has changed; returns at once."""
        self._changed.add(realm)
        self._wake.set()

    def went_down(self) -> None:
        """Know that nothing can be sent: all go on later from what has surely arrived."""
        for session in list(self.sessions.values()):
            for subscriber in list(session.subscribers.values()):
                subscriber.on_lost()
        self.sessions.clear()

    def came_up(self) -> None:
        """Know that all can go on."""
        self._changed.add(_ALL)
        self._wake.set()

    def leave(self) -> None:
        """Begin nothing more: this process ends."""
        self._is_leaving = True

    async def run(self) -> None:
        """Be there for receivers until cancelled."""
        if self.keeper is not None:
            await self.keeper.load()
        self._changed.add(_ALL)
        while True:
            changed, self._changed = self._changed, set()
            self._wake.clear()
            try:
                await self._look_after(changed)
                wait_s = REVIEW_S
            except Unavailable:
                self._changed |= changed
                wait_s = RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
                    continue
            if wait_s == REVIEW_S:
                self._changed.add(_ALL)

    async def _look_after(self, changed: set[RealmId]) -> None:
        if not self.is_up() or self._is_leaving:
            return
        if _ALL in changed:
            changed |= {*await self._book.list_realms(), *(realm for realm, _ in self.sessions)}
        for realm in changed - {_ALL}:
            await self._bring(realm)
        for question in await self._book.take_questions():
            await self._put(question)

    async def _bring(self, realm: RealmId) -> None:
        """Have exactly those be receivers whom the realm wants."""
        snapshot = await self._directory.find_realm(realm)
        wanted = {} if snapshot is None else snapshot.xmpp.receivers
        for jid in [jid for of, jid in self.sessions if of == realm]:
            session = self.sessions[realm, jid]
            subscriber = session.subscribers.get(realm)
            if subscriber is not None:
                for channel in set(subscriber.channels) - wanted.get(str(jid), frozenset()):
                    subscriber.part_with(channel)
            if not session.subscribers:
                del self.sessions[realm, jid]
        if snapshot is not None:
            for address, channels in wanted.items():
                await self._join(snapshot, address, channels)

    async def _join(self, snapshot: RealmSnapshot, address: str, channels: frozenset[ChannelName]) -> None:
        jid, realm = find_jid(address), snapshot.realm
        if jid is None:
            return
        session = self.sessions.get((realm, jid)) or self._make_session(realm, jid)
        subscriber = session.subscribers.get(realm)
        rights = Rights(snapshot, Grant(permissions=_EVERY_CHANNEL, jid=address, is_receiver=True))
        for channel in sorted(channels - set(() if subscriber is None else subscriber.channels)):
            name = SubscriptionName(address, realm, channel)
            kept = None if self.keeper is None else self.keeper.kept.get(name)
            try:
                await self._channels.receive(session, rights, channel, None if kept is None else kept.position)
            except Unavailable:
                raise
            except StanzaError:
                return  # it was ended while it began; looked at again with the next review
            except FanoutError as error:  # a limit of the realm: looked at again, too
                self._hub.tell_refused(realm, error, address)
                return

    def _make_session(self, realm: RealmId, jid: Jid) -> Session:
        session = Session(jid, is_receiver=True)
        session.outlet = ReceiverOutlet(jid, self.ways, self._asked)
        if self.keeper is not None:
            self.keeper.watch(session)
        session.on_draining = partial(self._drain, session)
        self.sessions[realm, jid] = session
        return session

    def _drain(self, session: Session) -> None:
        self.leave()
        if self.keeper is not None:
            self.keeper.leave(session)

    # -- what is said

    async def _put(self, question: Question) -> None:
        jid = find_jid(question.address)
        if jid is None:
            return
        if not any(way.reaches(jid) for way in self.ways):
            await self._book.pause(question.realm, question.address, "no XMPP server here reaches other domains")
            return
        text = (
            f"Realm {question.realm} would like to send messages to this address. "
            f"To let it, answer with this number: {question.code}. To refuse, answer: no"
        )
        attributes = {
            "to": question.address, "from": self._domains.sender_of(question.realm), "type": "chat",
            "id": f"{_QUESTION}{question.realm}",
        }  # fmt: skip
        self.send(question.address, Element("message", CLIENT, attributes, Element("body", CLIENT, None, text)))

    def send(self, address: str, stanza: Element) -> None:
        """Send a whole stanza, which has its `to`, to a bare address."""
        jid = find_jid(address)
        if jid is not None:
            ReceiverOutlet(jid.bare, self.ways, self._asked).send(stanza)

    async def hear(self, realm: RealmId, sender: Jid, text: str) -> str:
        """Take what an address says to a realm; return what to reply, if anything."""
        self._note(realm, sender, "", is_error=False)
        return await self._book.answer(realm, str(sender.bare), text)

    def hear_answer(self, realm: RealmId, stanza: Element, sender: Jid) -> None:
        """Take an answer or an error of an address."""
        id_, is_error = stanza.get("id") or "", stanza.get("type") == "error"
        errors = self._note(realm, sender, id_, is_error=is_error)
        condition = find_error_condition(stanza)
        is_question = id_ == f"{_QUESTION}{realm}"
        if is_error and (is_question or errors >= MAX_ERRORS_IN_A_ROW or (errors and condition in _NOBODY)):
            reason = f"{'the question' if is_question else 'what was sent'} came back: {condition or 'an error'}"
            self._hub.spawn(self._pause(realm, str(sender.bare), reason))

    def _note(self, realm: RealmId, sender: Jid, id_: str, *, is_error: bool) -> int:
        session = self.sessions.get((realm, sender.bare))
        outlet = None if session is None else session.outlet
        return outlet.note_answer(id_, is_error=is_error) if isinstance(outlet, ReceiverOutlet) else 0

    async def _pause(self, realm: RealmId, address: str, reason: str) -> None:
        with suppress(Unavailable):  # the next error tries again
            await self._book.pause(realm, address, reason)


#: Stands for every realm.
_ALL = RealmId("")

"""The door behind an XMPP server: our domains as its components, sessions of whoever writes to them.

A subscription lives as long as its session, not as this process or the connection: it is kept, with the position that
has surely arrived, and gone on with from there. What has arrived is known by asking the server for an answer behind it.
Source: docs/topics/xmpp.md.
"""

import asyncio
import itertools
import logging
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from fanoutcloud.core.errors import FanoutError, Unavailable
from fanoutcloud.core.jids import Jid, find_jid
from fanoutcloud.core.xml_elements import Element, quote_attribute, write_element
from fanoutcloud.core.xmpp_subscriptions import KeptSubscription, SubscriptionName, SubscriptionStore
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.xmpp.disco import PING
from fanoutcloud.xmpp.gateway import Gateway
from fanoutcloud.xmpp.keeping import RETRY_S, Keeper
from fanoutcloud.xmpp.link import COMPONENT, ComponentLink, LinkOwner
from fanoutcloud.xmpp.receivers import Receivers
from fanoutcloud.xmpp.remembered_tokens import RememberedTokens
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import CLIENT, StanzaError, find_error_condition

logger = logging.getLogger(__name__)

TOKEN = "urn:fanout:token:0"  # noqa: S105 - a namespace
CONFIRM_S = 1.0
PING_S = 300.0
#: After the connection came back, everybody is asked once within this time whether they are still there.
FIRST_PINGS_S = 60.0
SWEEP_S = 5.0
STOP_S = 1.0
_GONE = {"service-unavailable", "item-not-found", "recipient-unavailable", "gone", "remote-server-not-found"}
#: Restored at once; the rest waits, so that the broker has time for others.
_RESTORED_AT_ONCE = 200


@dataclass(slots=True)
class _Confirmation:
    """What was written until now; the server is asked on each link that carries items whether it has come there."""

    awaited: set[str]  # ids of pings
    moved: list[tuple[Keeper, list[KeptSubscription]]]


class ComponentDoor:
    """Sessions at the components' side. `run` until cancelled."""

    def __init__(
        self,
        gateway: Gateway,
        hub: Hub,
        store: SubscriptionStore,
        receivers: Receivers,
        *,
        server: tuple[str, int],
        secret: str,
    ) -> None:
        """`receivers` are kept by this door, which needs their `keeper`."""
        self.gateway = gateway
        owner = LinkOwner(self._on_stanza, self._on_up, self._on_down)
        self.links = {
            domain: ComponentLink(domain, server=server, secret=secret, owner=owner)
            for domain in gateway.domains.services
        }
        self.pubsub, self.stanza = self.links[gateway.domains.pubsub], self.links[gateway.domains.stanza]
        self.sessions: dict[Jid, Session] = {}
        self.keeper = Keeper(hub, store, self.sessions)
        self.tokens = RememberedTokens()
        self._receivers = receivers
        self._numbers = itertools.count(1)
        self._confirming: _Confirmation | None = None
        self._confirmed = asyncio.Event()
        self._ping_at: dict[Jid, float] = {}
        self._is_down = True
        self._wants_restore = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return all(link.is_up for link in self.links.values())

    @property
    def is_delivering(self) -> bool:
        """Whether what items bring can be written: notifications, and whole stanzas."""
        return self.pubsub.is_up and self.stanza.is_up

    async def run(self) -> None:
        """Be there until cancelled."""
        await self.keeper.load()
        async with asyncio.TaskGroup() as tasks:
            for link in self.links.values():
                tasks.create_task(link.run())
            tasks.create_task(self._keep())
            tasks.create_task(self._restore_when_up())

    @property
    def _keepers(self) -> list[Keeper]:
        return [self.keeper] if self._receivers.keeper is None else [self.keeper, self._receivers.keeper]

    async def stop(self) -> None:
        """Keep what has arrived; subscriptions go on with the next process."""
        self._receivers.leave()
        for keeper in self._keepers:
            keeper.leave_all()
        if self.is_delivering:
            self._ask_whether_arrived([])
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._confirmed.wait()
        for keeper in self._keepers:
            with suppress(Unavailable):
                await keeper.save()

    # -- what comes

    def _on_stanza(self, stanza: Element) -> None:
        _rename(stanza)
        sender, to = find_jid(stanza.get("from")), find_jid(stanza.get("to"))
        if sender is None or to is None or stanza.name not in ("iq", "message", "presence"):
            return
        if stanza.get("type") in ("result", "error"):
            self._hear_answer(stanza, sender, to)
            return
        is_account = sender.domain == self.gateway.domains.main
        token = (_take_token(stanza) or self.tokens.find(sender.bare)) if is_account else None
        if stanza.name == "presence" and stanza.get("type") == "unavailable":
            self._see_unavailable(sender, to)
            return
        session = self._session_of(sender, token)
        if stanza.name == "presence" and stanza.get("type") is None and to.domain == self.gateway.domains.pubsub:
            session.has_presence = True
        self.gateway.take(session, stanza, to)

    def _see_unavailable(self, sender: Jid, to: Jid) -> None:
        session = self.sessions.get(sender)
        if session is not None and to.domain == self.gateway.domains.pubsub:
            session.leave_all()
        if to.domain == self.gateway.domains.pubsub:
            self.keeper.forget_all_of(sender)

    def _hear_answer(self, stanza: Element, sender: Jid, to: Jid) -> None:
        id_ = stanza.get("id") or ""
        if self._confirming is not None and id_ in self._confirming.awaited:
            self._hear_arrived(self._confirming, id_)
            return
        if stanza.get("type") == "error" and find_error_condition(stanza) in _GONE and id_.startswith("ping-"):
            session = self.sessions.get(sender)
            if session is not None:
                session.leave_all()
            self.keeper.forget_all_of(sender)
            return
        self.gateway.hear_answer(stanza, sender, to)

    def _hear_arrived(self, confirmation: _Confirmation, id_: str) -> None:
        confirmation.awaited.discard(id_)
        if not confirmation.awaited:
            self._confirming = None
            self._confirmed.set()
            for keeper, moved in confirmation.moved:
                keeper.settle(moved)

    def _session_of(self, jid: Jid, token: str | None) -> Session:
        session = self.sessions.get(jid)
        if session is None:
            account = self.gateway.domains.find_account(jid)
            session = self.gateway.make_session(jid, ComponentOutlet(self, jid), account=account, token=token)
            self.keeper.watch(session)
            if jid.is_full:
                session.find_bare = partial(self._session_of, jid.bare, None)
            self.sessions[jid] = session
        if token is not None:
            session.token = token
        return session

    # -- subscriptions that are kept

    def _confirm(self) -> None:
        """Ask the server for an answer behind what was written: then all of that has arrived there."""
        if self._confirming is not None or not self.is_delivering:
            return
        moved = [(keeper, keeper.find_moved()) for keeper in self._keepers]
        if any(some for _, some in moved):
            self._ask_whether_arrived(moved)

    def _ask_whether_arrived(self, moved: list[tuple[Keeper, list[KeptSubscription]]]) -> None:
        pings = {f"confirm-{next(self._numbers)}": link for link in (self.pubsub, self.stanza)}
        self._confirming = _Confirmation(set(pings), moved)
        self._confirmed.clear()
        for id_, link in pings.items():
            self._ping(id_, self.gateway.domains.main, link)

    def _ping(self, id_: str, to: str, link: ComponentLink) -> None:
        attributes = {"type": "get", "id": id_, "from": link.domain, "to": to}
        link.write(write_element(Element("iq", CLIENT, attributes, Element("ping", PING))).encode())

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        sweep_at = loop.time() + SWEEP_S
        while True:
            await asyncio.sleep(CONFIRM_S)
            self._confirm()
            for keeper in self._keepers:
                with suppress(Unavailable):  # tried again in a moment
                    await keeper.save()
            if loop.time() >= sweep_at:
                sweep_at = loop.time() + SWEEP_S
                self._sweep(loop.time())

    def _sweep(self, now: float) -> None:
        """Forget sessions that want nothing, and ask those whose end would not be told whether they are there."""
        for jid, session in list(self.sessions.items()):
            if not session.subscribers and session.waiting is None:
                del self.sessions[jid]
                self._ping_at.pop(jid, None)
            elif jid.is_full and session.subscribers:
                due = self._ping_at.setdefault(jid, now + PING_S)
                if now >= due and self.pubsub.is_up:
                    self._ping_at[jid] = now + PING_S
                    if not session.has_presence:
                        self._ping(f"ping-{next(self._numbers)}", str(jid), self.pubsub)

    # -- the connection goes and comes

    def _on_down(self, domain: str) -> None:
        if domain not in (self.pubsub.domain, self.stanza.domain):
            return
        self._is_down, self._confirming = True, None
        for session in list(self.sessions.values()):
            for subscriber in list(session.subscribers.values()):
                subscriber.on_lost()
        self.sessions.clear()
        self._receivers.went_down()

    def _on_up(self, domain: str) -> None:
        if self._is_down and self.is_delivering:
            self._is_down = False
            self._wants_restore.set()
            self._receivers.came_up()

    async def _restore_when_up(self) -> None:
        while True:
            await self._wants_restore.wait()
            self._wants_restore.clear()
            waiting = list(self.keeper.kept)
            while waiting and not self._is_down:
                page, waiting = waiting[:_RESTORED_AT_ONCE], waiting[_RESTORED_AT_ONCE:]
                waiting += [name for name in page if not await self._restore(name)]
                await asyncio.sleep(0 if len(waiting) > len(page) else RETRY_S)

    async def _restore(self, name: SubscriptionName) -> bool:
        """Go on with a subscription; return whether that is settled. A refusal ends it, a failure does not."""
        kept, jid = self.keeper.kept.get(name), find_jid(name.jid)
        if kept is None or jid is None or self._is_down:
            return True
        session = self._session_of(jid, kept.token or None)
        loop_s = asyncio.get_running_loop().time()
        self._ping_at.setdefault(jid, loop_s + FIRST_PINGS_S * (hash(jid) % 100) / 100)
        try:
            await self.gateway.channels.go_on(session, kept)
        except StanzaError as error:
            if error.type == "wait":
                return False
            self.keeper.forget(name)
        except FanoutError:
            return False
        return True

    # -- receivers.Way

    def reaches(self, jid: Jid) -> bool:
        return True  # whoever can't be reached is told of by an error

    def send_to(self, jid: Jid, stanza: bytes) -> bool:
        self.stanza.write(stanza)
        return True

    def unsent_bytes(self) -> int:
        return self.stanza.unsent_bytes()

    async def drained(self) -> None:
        await self.stanza.drained()


class ComponentOutlet:
    """The way to one address through the links. Each stanza goes out on the link of the domain that it is from."""

    __slots__ = ("_door", "_from_pubsub", "_to", "jid")

    takes_several = False  # its address is put into each

    def __init__(self, door: ComponentDoor, jid: Jid) -> None:
        self._door = door
        self.jid = jid
        self._to = f" to={quote_attribute(str(jid))} ".encode()
        self._from_pubsub = f"from='{door.gateway.domains.pubsub}'".encode()

    def write(self, frame: bytes) -> None:
        if not frame:
            return
        name, _, rest = frame.partition(b" ")
        if rest.startswith(self._from_pubsub):
            self._door.pubsub.write(name + self._to + rest)
        else:
            name, _, rest = self._door.gateway.asked.number(frame, self.jid).partition(b" ")
            self._door.stanza.write(name + self._to + rest)

    def send(self, stanza: Element) -> None:
        sender = find_jid(stanza.get("from"))
        link = None if sender is None else self._door.links.get(sender.domain)
        if link is not None:
            link.write(write_element(stanza).encode())

    def unsent_bytes(self) -> int:
        return self._door.pubsub.unsent_bytes()

    async def drained(self) -> None:
        await self._door.pubsub.drained()

    def close(self, code: int, reason: str) -> None:
        """A subscriber of the session has ended."""

    def end(self, condition: str, text: str) -> None:
        """The client's connection is the server's; only our part of it ends."""


def _rename(element: Element) -> None:
    """Have what comes over a component's stream in the namespace of clients, so that one core serves both doors."""
    if element.namespace == COMPONENT:
        element.namespace = CLIENT
    for child in element.elements:
        _rename(child)


def _take_token(stanza: Element) -> str | None:
    """Take out of a stanza what our module for Prosody put in: the token that its session was signed in with."""
    token = stanza.find("token", TOKEN)
    if token is None:
        return None
    stanza.children.remove(token)
    return token.text

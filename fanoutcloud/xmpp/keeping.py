"""Subscriptions that outlive this process, each with the position that has surely arrived.

What was written is not what has arrived: whoever owns the connection finds out, and then settles what it had noted.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.xmpp_subscriptions import KeptSubscription, SubscriptionName, SubscriptionStore
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.xmpp.sessions import Session, XmppSubscriber

RETRY_S = 2.0


class Keeper:
    """Keeps the subscriptions of some sessions; `sessions` is their owner's, by whatever names; it is read only."""

    def __init__(self, hub: Hub, store: SubscriptionStore, sessions: Mapping[Any, Session]) -> None:
        self.kept: dict[SubscriptionName, KeptSubscription] = {}
        self._hub = hub
        self._store = store
        self._sessions = sessions
        self._changed: set[SubscriptionName] = set()
        self._ended: set[SubscriptionName] = set()

    async def load(self) -> None:
        """Read what was kept; waits until it can be."""
        while True:
            try:
                self.kept = {one.name: one for one in await self._store.load()}
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def save(self) -> None:
        """Write what has changed. Raises Unavailable: it is written with the next."""
        changed = [self.kept[name] for name in self._changed if name in self.kept]
        ended = list(self._ended)
        self._changed.clear()
        self._ended.clear()
        try:
            await self._store.save(changed, ended)
        except Unavailable:
            self._changed |= {one.name for one in changed} & set(self.kept)
            self._ended |= set(ended) - set(self.kept)
            raise

    def watch(self, session: Session) -> None:
        """Keep the subscriptions of a session as they come and go."""
        session.on_subscription_begun, session.on_subscription_ended = self._begun, self._on_ended
        session.on_draining = partial(self.leave, session)

    def _begun(self, subscriber: XmppSubscriber, channel: ChannelName) -> None:
        session = subscriber.session
        name = SubscriptionName(str(session.jid), subscriber.realm, channel)
        position = subscriber.begun_at[channel]
        asked_as = str(subscriber.asked_as.get(channel, session.jid))
        self.kept[name] = KeptSubscription(name, asked_as, position, session.token or "")
        self._changed.add(name)
        self._ended.discard(name)

    def _on_ended(self, session: Session, realm: RealmId, channel: ChannelName) -> None:
        self.forget(SubscriptionName(str(session.jid), realm, channel))

    def forget(self, name: SubscriptionName) -> None:
        """Keep a subscription no more."""
        if self.kept.pop(name, None) is not None:
            self._changed.discard(name)
            self._ended.add(name)

    def forget_all_of(self, jid: Jid) -> None:
        """Keep nothing of an address."""
        for name in [name for name in self.kept if name.jid == str(jid)]:
            self.forget(name)

    def find_moved(self) -> list[KeptSubscription]:
        """Return where the live subscriptions are now whose position is another than the kept one."""
        return [one for session in self._sessions.values() if session.subscribers for one in self._moved_of(session)]

    def settle(self, moved: list[KeptSubscription]) -> None:
        """Know that what `find_moved` returned has arrived."""
        for one in moved:
            if one.name in self.kept:
                self.kept[one.name] = one
                self._changed.add(one.name)

    def leave(self, session: Session) -> None:
        """Note where a session is, without waiting until that has arrived: it leaves this process."""
        self.settle(self._moved_of(session))

    def leave_all(self) -> None:
        """Do so for all."""
        for session in list(self._sessions.values()):
            self.leave(session)

    def _moved_of(self, session: Session) -> list[KeptSubscription]:
        moved = []
        for subscriber in session.subscribers.values():
            for channel, position in (self._hub.find_positions(subscriber) or {}).items():
                name = SubscriptionName(str(session.jid), subscriber.realm, channel)
                kept = self.kept.get(name)
                if kept is not None and kept.position != position:
                    moved.append(KeptSubscription(name, kept.asked_as, position, session.token or kept.token))
        return moved

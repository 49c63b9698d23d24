"""Who is here, by realm and by user, and which channels a realm has: so that no question looks at other realms."""

from collections.abc import Collection, Hashable
from typing import TypeVar

from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.subscriber import Subscriber

Key = TypeVar("Key", bound=Hashable)
_NOBODY: frozenset[Subscriber] = frozenset()


class SubscriberIndex:
    """Kept by the hub, in step with its registry."""

    def __init__(self) -> None:
        self._by_realm: dict[RealmId, set[Subscriber]] = {}
        self._by_user: dict[tuple[RealmId, str], set[Subscriber]] = {}
        self._channels: dict[RealmId, dict[ChannelName, LocalChannel]] = {}

    def realms(self) -> list[RealmId]:
        """Return realms that have subscribers here."""
        return list(self._by_realm)

    def of_realm(self, realm: RealmId) -> Collection[Subscriber]:
        """Return the realm's open subscribers; not to be changed."""
        return self._by_realm.get(realm, _NOBODY)

    def of_user(self, realm: RealmId, user: str) -> Collection[Subscriber]:
        """Return a user's open subscribers; not to be changed."""
        return self._by_user.get((realm, user), _NOBODY)

    def channels_of(self, realm: RealmId) -> dict[ChannelName, LocalChannel]:
        """Return the realm's channels here; not to be changed."""
        return self._channels.get(realm, {})

    def add(self, subscriber: Subscriber) -> None:
        """Enter a subscriber that has come. Its user must not change before `remove`."""
        self._by_realm.setdefault(subscriber.realm, set()).add(subscriber)
        user = subscriber.grant.user
        if user:
            self._by_user.setdefault((subscriber.realm, user), set()).add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber. Idempotent."""
        _take_out(self._by_realm, subscriber.realm, subscriber)
        if subscriber.grant.user:
            _take_out(self._by_user, (subscriber.realm, subscriber.grant.user), subscriber)

    def add_channel(self, local: LocalChannel) -> None:
        """Enter a channel that is subscribed at the broker."""
        self._channels.setdefault(local.realm, {})[local.channel] = local

    def remove_channel(self, local: LocalChannel) -> None:
        """Forget a channel. Idempotent."""
        channels = self._channels.get(local.realm)
        if channels is not None and channels.pop(local.channel, None) is not None and not channels:
            del self._channels[local.realm]


def _take_out(index: dict[Key, set[Subscriber]], key: Key, subscriber: Subscriber) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(subscriber)
        if not members:
            del index[key]

"""What the delivery plane may ask about a realm. Implemented by `realms.directory`, handed over by the composition."""

from dataclasses import dataclass
from typing import Protocol

from fanoutcloud.core.domains import Domain
from fanoutcloud.core.names import RealmId


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a channel's past is kept: the newest `items`, none older than `age_s` seconds."""

    items: int = 100
    age_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something may go on, as a token bucket: `per_s` for long, `burst` at once."""

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class RealmLimits:
    """What one realm may use over all processes together; None is no limit (docs/topics/limits.md)."""

    connections: int | None = None  # held at once
    channels: int | None = None  # subscribed at once, however many connections and processes have them
    publish_items: Rate | None = None  # items
    item_bytes: int | None = None  # content of one item over all its formats
    egress_bytes: Rate | None = None  # written to subscribers


@dataclass(frozen=True, slots=True)
class RealmKey:
    """A live key of a realm; `secret` are the bytes that its Base64 text decodes to."""

    key_id: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class RealmSnapshot:
    """All that delivery knows of a realm, as it was at one moment. Replaced as a whole, never changed."""

    realm: RealmId
    keys: tuple[RealmKey, ...]
    retention: Retention
    limits: RealmLimits = RealmLimits()
    domains: tuple[Domain, ...] = (Domain(),)  # the built-in one comes first


class RealmDirectory(Protocol):
    """Looks realms up. Answers from memory nearly always; never blocks the event loop."""

    def find_cached(self, realm: RealmId) -> RealmSnapshot | None:
        """Return the realm if it is known and fresh, else None, which says nothing. Costs no wait."""

    async def find_realm(self, realm: RealmId) -> RealmSnapshot | None:
        """Return the realm, or None if there is no such realm.

        Raises:
            Unavailable: it is not in memory and the database does not answer.
        """

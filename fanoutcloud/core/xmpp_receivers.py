"""XMPP addresses that get a realm's stanzas without having subscribed, as the gateway deals with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fanoutcloud.core.names import RealmId


@dataclass(frozen=True, slots=True)
class Question:
    """An address that is to be asked whether it wants a realm's stanzas; a yes is `code`."""

    realm: RealmId
    address: str
    code: str


class ReceiverBook(Protocol):
    """Who the receivers are is in the realm's snapshot; this is what the gateway finds out about them.

    All raise `Unavailable` where what keeps it does not answer.
    """

    async def list_realms(self) -> Sequence[RealmId]:
        """Return the realms that have active receivers."""

    async def take_questions(self) -> Sequence[Question]:
        """Return addresses to ask, each once over all processes."""

    async def answer(self, realm: RealmId, address: str, text: str) -> str:
        """Take what an address says to a realm; return the reply to a yes or a no, and nothing for other words."""

    async def pause(self, realm: RealmId, address: str, reason: str) -> None:
        """Send an address nothing more until somebody adds it again."""

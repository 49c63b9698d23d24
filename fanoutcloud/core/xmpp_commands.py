"""What can be done to a realm by commands over XMPP. Implemented by an app with the services that REST calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import ChannelName, RealmId


@dataclass(frozen=True, slots=True)
class CommandField:
    """One thing that a command asks for. `is_text`: many lines."""

    name: str
    label: str
    is_required: bool = False
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """`name` is its node; `usage` how it is written in a chat. Fields are given there in their order, or as options."""

    name: str
    title: str
    fields: tuple[CommandField, ...] = ()

    @property
    def usage(self) -> str:
        words = [field.name.upper() if field.is_required else f"[{field.name.upper()}]" for field in self.fields]
        return " ".join([self.name, *words])


class CommandBook(Protocol):
    """All commands. `asker` is who the audit log says it was."""

    @property
    def commands(self) -> Sequence[Command]: ...

    async def list_realms(self, jid: Jid) -> Sequence[RealmId]:
        """Return the realms on whose list of admins an address is, or all of its domain."""

    async def run(self, realm: RealmId, name: str, values: Mapping[str, str], *, asker: str) -> list[str]:
        """Do it; return what to tell, a line for each fact.

        Raises:
            FanoutError: why it was not done; the same as over REST.
        """

    async def read_node(self, realm: RealmId, channel: ChannelName) -> dict[str, str]:
        """Return what the channel's own rule says: `history_items`, `history_age_s`, `access`, `presence`."""

    async def change_node(self, realm: RealmId, channel: ChannelName, values: Mapping[str, str], *, asker: str) -> None:
        """Change the channel's own rule, or make one. Raises FanoutError: nothing was changed."""

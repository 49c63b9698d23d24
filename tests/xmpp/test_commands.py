"""What watchers of a realm see of commands over XMPP; what commands do is in tests/contracts/test_xmpp_commands.py."""

from collections.abc import Mapping, Sequence

import pytest

from fanoutcloud.core.activity import Commanded
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.jids import Jid, parse_jid
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.xml_elements import Element
from fanoutcloud.core.xmpp_commands import Command, CommandField
from fanoutcloud.xmpp.access import Access, Rights
from fanoutcloud.xmpp.addresses import Domains
from fanoutcloud.xmpp.commands import COMMANDS, CommandService
from fanoutcloud.xmpp.forms import Field, write_form
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import StanzaError
from tests.fakes.activity import RecordingActivity

REALM = RealmId("4f1d90ab")
DOMAINS = Domains("push.test")
TO = parse_jid("admin-4f1d90ab@api.push.test")
ALICE, CHARLIE = parse_jid("alice@example.com/desk"), parse_jid("charlie@example.com/desk")
FIELDS = (CommandField("channel", "Channel"), CommandField("token", "Token"))


class OneCommand:
    """A book with a single command."""

    commands: Sequence[Command] = (Command("look", "Look", FIELDS),)

    async def list_realms(self, jid: Jid) -> Sequence[RealmId]:
        raise AssertionError("not asked")

    async def run(self, realm: RealmId, name: str, values: Mapping[str, str], *, asker: str) -> list[str]:
        return ["seen"]

    async def read_node(self, realm: RealmId, channel: ChannelName) -> dict[str, str]:
        raise AssertionError("not asked")

    async def change_node(self, realm: RealmId, channel: ChannelName, values: Mapping[str, str], *, asker: str) -> None:
        raise AssertionError("not asked")


class AliceIsAdmin(Access):
    """Rights by address alone."""

    def __init__(self) -> None:
        pass

    async def find_rights(self, session: Session, realm: RealmId) -> Rights:
        return Rights(None, None, is_admin=session.jid == ALICE)  # type: ignore[arg-type]  # nothing else is asked


async def give(activity: RecordingActivity, sender: Jid) -> None:
    service = CommandService(OneCommand(), AliceIsAdmin(), DOMAINS, SystemClock(), activity)
    form = write_form([Field("channel", "", values=("door",)), Field("token", "", values=("secret",))], type_="submit")
    command = Element("command", COMMANDS, {"node": "look", "action": "execute"}, form)
    await service.answer(Session(sender), Element("iq", "jabber:client", {"type": "set", "id": "1"}), command, TO)


async def test_a_command_that_was_done_is_shown_without_its_token() -> None:
    activity = RecordingActivity(REALM)

    await give(activity, ALICE)

    [(_, event)] = activity.events
    assert isinstance(event, Commanded)
    assert (event.command, event.user, event.channel, event.outcome) == ("look", "alice@example.com", "door", "done")
    assert "secret" not in repr(event)


async def test_a_command_that_was_refused_is_shown_with_its_cause() -> None:
    activity = RecordingActivity(REALM)

    with pytest.raises(StanzaError):
        await give(activity, CHARLIE)

    [(_, event)] = activity.events
    assert isinstance(event, Commanded)
    assert (event.user, event.outcome) == ("charlie@example.com", "item-not-found")
    assert event.message

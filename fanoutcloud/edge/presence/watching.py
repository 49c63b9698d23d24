"""Who may be told of a channel's presence."""

from collections.abc import Iterable

from fanoutcloud.core.access import Grant
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName
from fanoutcloud.edge.access.gate import AccessGate


def check_watching(gate: AccessGate, grant: Grant, realm: RealmSnapshot, channel: ChannelName) -> None:
    """Return if whoever has `grant` may know who is on the channel.

    Raises:
        NoToken, NotAllowed: it may not.
        InvalidRequest: nobody may: the channel's rule does not count who is there.
    """
    gate.check(grant, realm, "presence", channel)
    rule = realm.rules.find(channel)
    if not (rule.presence or rule.join_leave):
        cure = "turn it on in a channel rule of the realm"
        error = InvalidRequest("presence is off for this channel", cure=cure, field="channel")
        error.channel = channel
        raise error


def admit_watching(
    gate: AccessGate, grant: Grant, realm: RealmSnapshot, channels: Iterable[ChannelName]
) -> frozenset[ChannelName]:
    """Return the channels if all of them may be watched; see `check_watching`."""
    wanted = frozenset(channels)
    for channel in wanted:
        check_watching(gate, grant, realm, channel)
    return wanted

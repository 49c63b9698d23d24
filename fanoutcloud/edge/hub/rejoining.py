"""Subscribers that come from another process, or come back: delivered from where they stood, and told nothing.

Those of a batch stood at the same position of a channel, so history is read once for all of them, not once for each.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import PositionLost, StreamPosition
from fanoutcloud.edge.hub.catching_up import is_wanted
from fanoutcloud.edge.hub.channel import Joining, LocalChannel
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber

Positions = dict[ChannelName, StreamPosition]


async def rejoin(hub: Hub, broker: Broker, moved: Sequence[tuple[Subscriber, Positions]]) -> None:
    """Register the subscribers and deliver all that comes behind their positions; nothing else is told.

    Returns when all of them are live or closed. Those whose channels can't be had are closed as `unavailable`.
    """
    groups: dict[tuple[RealmId, ChannelName, StreamPosition], list[Subscriber]] = defaultdict(list)
    for subscriber, positions in moved:
        subscriber.is_settled = False
        subscriber.channels = list(positions)
        subscriber.begin(dict(positions))
        hub.register(subscriber)
        for channel, position in positions.items():
            groups[subscriber.realm, channel, position].append(subscriber)
    async with asyncio.TaskGroup() as tasks:
        for (realm, channel, position), members in groups.items():
            local = hub.local_channels.expect(realm, channel)
            for member in members:
                hub.local_channels.note_entered(member, [local])
            tasks.create_task(_rejoin_group(hub, broker, local, position, members))
    for subscriber, _ in moved:
        subscriber.is_settled = True


async def _rejoin_group(
    hub: Hub, broker: Broker, local: LocalChannel, since: StreamPosition, members: list[Subscriber]
) -> None:
    joining = Joining(since)
    try:
        await asyncio.shield(local.opening)
        local.joining[members[0]] = joining  # live items are kept for all of them
        while not _merge(local, joining, members):
            await _read_history(hub, broker, local, joining, members)
            await asyncio.sleep(0)  # others of the channel have to get on, too
    except Unavailable:
        for member in members:
            member.close(CloseReason.UNAVAILABLE)
    finally:
        local.joining.pop(members[0], None)
        hub.local_channels.expect_no_more(local)


async def _read_history(
    hub: Hub, broker: Broker, local: LocalChannel, joining: Joining, members: list[Subscriber]
) -> None:
    """Deliver a page of what is kept. Who does not take it in time overflows, and is closed as slow."""
    try:
        page = await broker.read_since(local.realm, local.channel, joining.at, limit=hub.limits.catch_up_page_items)
    except PositionLost as lost:
        for member in _present(local, members):
            member.tell_reset(local.channel, lost.top, lost.reason)
        joining.at = lost.top
        hub.notice(local, lost.top)
        return
    for stored in page:
        for member in _present(local, members):
            member.take(stored)
        joining.at = stored.position


def _merge(local: LocalChannel, joining: Joining, members: list[Subscriber]) -> bool:
    """Deliver what came live meanwhile; return True when all members are live or gone, False to read on."""
    for stored in joining.late:
        at, position = joining.at, stored.position
        if position.epoch == at.epoch and position.offset == at.offset + 1:
            for member in _present(local, members):
                member.take(stored)
            joining.at = position
    joining.late.clear()
    at, top = joining.at, local.position
    is_ahead = at.epoch == top.epoch and at.offset > top.offset
    if at != top and not is_ahead:
        return not _present(local, members)
    for member in _present(local, members):
        if is_ahead:
            local.ahead[member] = at
        else:
            local.add(member, is_told=False)
    return True


def _present(local: LocalChannel, members: list[Subscriber]) -> list[Subscriber]:
    return [member for member in members if is_wanted(member, local)]

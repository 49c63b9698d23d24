"""Bringing a channel of this process over a gap in its live items: history first, then what came meanwhile."""

import asyncio
from typing import TYPE_CHECKING

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.streams import PositionLost, StreamPosition
from fanoutcloud.edge.hub.channel import MAX_PENDING_ITEMS, LocalChannel

if TYPE_CHECKING:
    from fanoutcloud.edge.hub.hub import Hub

FILL_RETRY_S = 1.0
#: So often the broker is asked again where it does not know the epoch of what came live: commands and live items have
#: connections of their own, and while a primary is replaced, one of them may lead to the old one.
MAX_DOUBTS = 3


async def fill(hub: "Hub", broker: Broker, local: LocalChannel) -> None:
    """Deliver what history has behind `top`, then what waits in `pending`, and leave the channel live."""
    doubts = 0
    while hub.channels.get((local.realm, local.channel)) is local:
        try:
            page = await broker.read_since(
                local.realm, local.channel, local.position, limit=hub.limits.catch_up_page_items
            )
        except PositionLost as lost:
            hub.restart(local, _place_after_loss(local, lost.top), lost.reason)
            continue
        except Unavailable:
            await asyncio.sleep(FILL_RETRY_S)
            continue
        for item in page:
            hub.broadcast(local, item)
        is_whole = len(local.pending or ()) < MAX_PENDING_ITEMS
        is_last = not page or (local.pending and len(page) < hub.limits.catch_up_page_items)
        if is_whole and is_last:
            if doubts == MAX_DOUBTS or all(map(local.is_of_epoch, local.pending or ())):
                break
            doubts += 1
            await asyncio.sleep(FILL_RETRY_S)
        if not is_whole:
            local.pending = []  # more came than were kept: history has them
    pending, local.pending = local.pending or [], None
    for item in pending:
        if local.is_of_epoch(item):  # else it is of a server that was the primary once, or believes to be
            hub.take(local, item)


def _place_after_loss(local: LocalChannel, top: StreamPosition) -> StreamPosition:
    """Return where the channel goes on: before what came live of a new epoch, but behind what it has delivered of it.

    An epoch may come twice, when the broker was asked on an old server in between.
    """
    if top.epoch == local.position.epoch:
        return top
    lived = (one.position.offset for one in local.pending or () if one.position.epoch == top.epoch)
    first = min([top.offset, *(offset - 1 for offset in lived)])
    if local.left is not None and local.left.epoch == top.epoch:
        first = max(first, min(local.left.offset, top.offset))
    return StreamPosition(top.epoch, first)

"""Bringing a channel of this process over a gap in its live items: history first, then what came meanwhile."""

import asyncio
from typing import TYPE_CHECKING

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.streams import EPOCH_CHANGED, PositionLost, StoredItem, StreamPosition
from fanoutcloud.edge.hub.channel import MAX_PENDING_ITEMS, LocalChannel

if TYPE_CHECKING:
    from fanoutcloud.edge.hub.hub import Hub

FILL_RETRY_S = 1.0


async def fill(hub: "Hub", broker: Broker, local: LocalChannel) -> None:
    """Deliver what history has behind `top`, then what waits in `pending`, and leave the channel live."""
    while hub.channels.get((local.realm, local.channel)) is local:
        try:
            page = await broker.read_since(
                local.realm, local.channel, local.position, limit=hub.limits.catch_up_page_items
            )
        except PositionLost as lost:
            is_new = lost.top.epoch != local.position.epoch
            position = _first_behind(lost.top, local.pending) if is_new else lost.top
            hub.restart(local, position, lost.reason)
            continue
        except Unavailable:
            await asyncio.sleep(FILL_RETRY_S)
            continue
        for item in page:
            hub.broadcast(local, item)
        is_whole = len(local.pending or ()) < MAX_PENDING_ITEMS
        is_last = not page or (local.pending and len(page) < hub.limits.catch_up_page_items)
        if is_whole and is_last:
            break
        if not is_whole:
            local.pending = []  # more came than were kept: history has them
    pending, local.pending = local.pending or [], None
    for item in pending:
        if item.position.epoch != local.position.epoch:  # the broker knows nothing between the two
            hub.restart(local, _first_behind(item.position, [item]), EPOCH_CHANGED)
        hub.take(local, item)


def _first_behind(top: StreamPosition, pending: list[StoredItem] | None) -> StreamPosition:
    """Return the place in the stream of `top` that is before all that came live of it."""
    lived = (one.position.offset for one in pending or () if one.position.epoch == top.epoch)
    return StreamPosition(top.epoch, min([top.offset, *(offset - 1 for offset in lived)]))

"""What a hub needs from time to time: keep-alives, stuck peers, positions of quiet channels, channels left empty."""

import asyncio
import itertools
import math
from collections.abc import Iterable

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber

TICK_S = 1.0
POSITION_BATCH = 500


async def run_hub(hub: Hub, broker: Broker) -> None:
    """Run the hub's tasks and keep house until cancelled; cancelling ends all tasks of the hub."""
    async with asyncio.TaskGroup() as tasks:
        hub.own_tasks(tasks)
        house = _House(hub, broker)
        for tick in itertools.count():
            await asyncio.sleep(TICK_S)
            house.tick(tick)


class _House:
    """One hub's chores, spread over ticks so that no tick is long."""

    def __init__(self, hub: Hub, broker: Broker) -> None:
        self._hub = hub
        self._broker = broker
        self._unsent: dict[Subscriber, int] = {}
        self._is_checking = False

    def tick(self, number: int) -> None:
        limits = self._hub.limits
        self._keep_alive(number, period=max(1, round(limits.keep_alive_s / TICK_S)))
        if number % max(1, math.ceil(limits.stuck_s / 2 / TICK_S)) == 0:
            self._close_stuck()
        if number % max(1, round(limits.position_check_s / TICK_S)) == 0 and not self._is_checking:
            self._is_checking = True
            self._hub.spawn(self._check_positions())
        self._forget_empty_channels()

    def _keep_alive(self, number: int, *, period: int) -> None:
        turn = number % period
        for subscriber in [s for s in self._hub.subscribers if s.serial % period == turn]:
            if subscriber.wishes is not None:
                self._hub.tell_positions(subscriber)
            subscriber.sink.write(subscriber.wire.keep_alive())

    def _close_stuck(self) -> None:
        """Close those whose unsent bytes did not get fewer since the last look, or are too many."""
        limit = self._hub.limits.outbox_bytes
        unsent = {s: size for s in self._hub.subscribers if (size := s.sink.unsent_bytes())}
        stuck = [s for s, size in unsent.items() if size > limit or size >= self._unsent.get(s, math.inf)]
        self._unsent = unsent
        self._hub.ledger.edge.stuck += len(stuck)
        for subscriber in stuck:
            subscriber.close(CloseReason.SLOW)

    def _forget_empty_channels(self) -> None:
        limit = self._hub.clock.monotonic() - self._hub.limits.linger_s
        for local in list(self._hub.channels.values()):
            if local.empty_since is not None and local.empty_since < limit and local.is_empty:
                self._hub.local_channels.forget(local)

    async def _check_positions(self) -> None:
        """Compare quiet channels with the broker: a live item that got lost on the way shows here."""
        try:
            quiet_since = self._hub.clock.monotonic() - self._hub.limits.position_check_s
            quiet = [c for c in self._hub.channels.values() if _is_quiet(c, quiet_since)]
            for batch in _batches(quiet, POSITION_BATCH):
                tops = await self._broker.positions([(local.realm, local.channel) for local in batch])
                for local, top in zip(batch, tops, strict=True):
                    if local.pending is not None:
                        continue
                    if top.epoch != local.position.epoch or top.offset > local.position.offset:
                        self._hub.fill_gap(local)
        except Unavailable:
            return  # the next round may get through
        finally:
            self._is_checking = False


def _is_quiet(local: LocalChannel, quiet_since: float) -> bool:
    return local.top is not None and local.pending is None and local.last_item_at < quiet_since


def _batches(channels: list[LocalChannel], size: int) -> Iterable[list[LocalChannel]]:
    for start in range(0, len(channels), size):
        yield channels[start : start + size]

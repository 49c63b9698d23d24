"""A broker whose answers and live items wait until a test lets them through."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence

from fanoutcloud.broker.base import BrokerListener, LiveItem
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition


class GatedBroker(MemoryBroker):
    """All gates are open at first. Calls are counted in `calls`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.calls: Counter[str] = Counter()
        self.is_down = False
        #: Whether answers to reads are made before their gate, and so are old once they get through.
        self.answers_early = True
        self._held: dict[str, deque[asyncio.Future[None]]] = {}
        self._listener_behind: BrokerListener | None = None
        self._live: deque[LiveItem] | None = None

    def hold(self, method: str) -> None:
        """Have calls of `method` wait from now on."""
        self._held.setdefault(method, deque())

    def waiting(self, method: str) -> int:
        """Return how many calls of `method` wait."""
        return len(self._held.get(method, ()))

    def let_through(self, method: str) -> bool:
        """Let the call that has waited longest go on; return whether there was one."""
        held = self._held.get(method)
        if not held:
            return False
        held.popleft().set_result(None)
        return True

    def release(self, method: str) -> None:
        """Open the gate again."""
        while self.let_through(method):
            pass
        self._held.pop(method, None)

    async def _pass(self, method: str) -> None:
        self.calls[method] += 1
        if method in self._held:
            gate = asyncio.get_running_loop().create_future()
            self._held[method].append(gate)
            await gate
        if self.is_down:
            raise Unavailable("the broker does not answer")

    async def subscribe(self, realm: RealmId, channel: ChannelName) -> StreamPosition:
        await self._pass("subscribe")
        return await super().subscribe(realm, channel)

    async def unsubscribe(self, realm: RealmId, channel: ChannelName) -> None:
        await self._pass("unsubscribe")
        await super().unsubscribe(realm, channel)

    async def read_since(
        self, realm: RealmId, channel: ChannelName, since: StreamPosition, *, limit: int
    ) -> list[StoredItem]:
        if not self.answers_early:
            await self._pass("read_since")
            return await super().read_since(realm, channel, since, limit=limit)
        answer = await super().read_since(realm, channel, since, limit=limit)
        await self._pass("read_since")
        return answer

    async def positions(self, channels: Sequence[tuple[RealmId, ChannelName]]) -> list[StreamPosition]:
        await self._pass("positions")
        return await super().positions(channels)

    # -- live items

    def attach(self, listener: BrokerListener) -> None:
        self._listener_behind = listener
        super().attach(self)

    def hold_live(self) -> None:
        """Keep live items back from now on."""
        self._live = deque()

    @property
    def live_held(self) -> int:
        """How many live items are kept back."""
        return len(self._live or ())

    def let_live_through(self) -> bool:
        """Deliver the oldest live item that is kept back; return whether there was one."""
        if not self._live:
            return False
        self._pass_live([self._live.popleft()])
        return True

    def lose_live(self, count: int) -> None:
        """Lose the oldest live items that are kept back, as a broken connection does."""
        assert self._live is not None
        for _ in range(count):
            self._live.popleft()

    def release_live(self) -> None:
        """Deliver live items at once again."""
        while self.let_live_through():
            pass
        self._live = None

    def on_items(self, items: Sequence[LiveItem]) -> None:
        if self._live is None:
            self._pass_live(items)
        else:
            self._live.extend(items)

    def on_reconnected(self) -> None:
        assert self._listener_behind is not None
        self._listener_behind.on_reconnected()

    def _pass_live(self, items: Sequence[LiveItem]) -> None:
        assert self._listener_behind is not None
        self._listener_behind.on_items(items)

"""Notices that a client leaves while its origin is slow, so that nothing is kept for nobody."""

import asyncio

from fanoutcloud.edge.connections.client_response import ClientLeft
from fanoutcloud.edge.connections.sinks import Receive
from fanoutcloud.grip.request_body import ClientBody

#: Most origins have answered by then, and their clients cost no task.
WATCH_AFTER_S = 1.0


class LeaveWatch:
    """While inside, a client that leaves ends the block with `ClientLeft`. `stop` before the response's end."""

    def __init__(self, receive: Receive, body: ClientBody, *, after_s: float = WATCH_AFTER_S) -> None:
        self._receive = receive
        self._body = body
        self._after_s = after_s
        self._serving: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self._has_left = False

    async def __aenter__(self) -> "LeaveWatch":
        self._serving = asyncio.current_task()
        self._begin_later()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await self.stop()
        if self._has_left and isinstance(error, asyncio.CancelledError):
            assert self._serving is not None
            if self._serving.uncancel() == 0:  # nobody but us wanted it to end
                raise ClientLeft from None

    async def stop(self) -> None:
        """Watch no more: somebody else reads from the client now, or nobody."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None and not self._has_left:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    def _begin_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._after_s, self._begin)

    def _begin(self) -> None:
        if not self._body.is_whole:
            self._begin_later()  # the body is being read: whoever does that notices
        else:
            self._watching = asyncio.get_running_loop().create_task(self._watch())  # ended by `stop`

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._has_left = True
        assert self._serving is not None
        self._serving.cancel()

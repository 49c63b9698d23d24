"""A bound on the request bodies that reach Django, in bytes and time: Django itself would take any size at any pace."""

import asyncio
from collections.abc import Awaitable, Callable

from fanoutcloud.core.errors import BodyTooLarge
from fanoutcloud.edge.connections.sinks import AsgiApp, Message, Receive, Scope, Send
from fanoutcloud.edge.site.responses import respond_error

#: Answers a request whose body is too large.
Refuse = Callable[[Scope, Send, BodyTooLarge], Awaitable[None]]


async def _refuse(scope: Scope, send: Send, error: BodyTooLarge) -> None:
    await respond_error(send, error)


class BoundedBody:
    """Refuses bodies that say they are too large, and hangs up on those that turn out so or do not come."""

    def __init__(self, app: AsgiApp, *, max_bytes: int, timeout_s: float, refuse: Refuse | None = None) -> None:
        self._app = app
        self._refuse = refuse or _refuse
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await self._refuse(scope, send, BodyTooLarge(self._max_bytes))
            return
        await self._app(scope, self._bound(receive), send)

    def _bound(self, receive: Receive) -> Receive:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._timeout_s
        size, is_whole = 0, False

        async def receive_bounded() -> Message:
            nonlocal size, is_whole
            if is_whole:
                return await receive()  # waits for the client's leaving; the server ends that
            try:
                async with asyncio.timeout_at(ends_at):
                    message = await receive()
            except TimeoutError:
                return {"type": "http.disconnect"}
            size += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            return message if size <= self._max_bytes else {"type": "http.disconnect"}

        return receive_bounded

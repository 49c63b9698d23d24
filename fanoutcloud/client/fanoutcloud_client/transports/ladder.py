"""Which transport it will be: the first that is ready, in order of preference (browser-client reference §11)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import httpx

from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.transports.http_stream import HttpStreamLink, SseLink, open_stream
from fanoutcloud_client.transports.link import (
    OPEN_TIMEOUT_S,
    Link,
    LinkLost,
    Message,
    Target,
    TransportName,
)
from fanoutcloud_client.transports.long_poll import open_long_poll
from fanoutcloud_client.transports.websocket import open_websocket

ALL_TRANSPORTS: tuple[TransportName, ...] = ("websocket", "http-stream", "sse", "long-poll")
#: After so long without a first message, the next transport is begun beside.
DOUBT_S = 4.0

Opened = tuple[Link, Message]
Opener = Callable[[], Coroutine[Any, Any, Opened]]


def usable_transports(names: Sequence[TransportName], target: Target) -> list[TransportName]:
    """Return those that can do what the target asks for: patterns and presence are not everywhere.

    Raises:
        InvalidRequest: none can, or there is no such transport.
    """
    for name in names:
        if name not in ALL_TRANSPORTS:
            raise InvalidRequest(
                f"there is no transport {name!r}", cure=f"use {', '.join(ALL_TRANSPORTS)}", field="transports"
            )
    usable = [name for name in names if not (target.patterns and name in ("sse", "long-poll"))]
    usable = [name for name in usable if not (target.presence and name == "long-poll")]
    if not usable:
        raise InvalidRequest(
            "patterns and presence are not offered on these transports",
            cure="add websocket or http-stream",
            field="transports",
        )
    return usable


def openers_of(names: Sequence[TransportName], target: Target, http: httpx.AsyncClient) -> list[Opener]:
    """Return what opens each transport."""
    by_name: dict[TransportName, Callable[[], Awaitable[Opened]]] = {
        "websocket": lambda: open_websocket(target),
        "http-stream": lambda: open_stream(target, http, HttpStreamLink),
        "sse": lambda: open_stream(target, http, SseLink),
        "long-poll": lambda: open_long_poll(target, http),
    }
    return [_in_time(by_name[name]) for name in names]


def _in_time(opener: Callable[[], Awaitable[Opened]]) -> Opener:
    async def open_in_time() -> Opened:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await opener()
        except TimeoutError:
            raise LinkLost("not ready in time") from None

    return open_in_time


async def open_first(openers: Sequence[Opener], *, doubt_s: float = DOUBT_S) -> Opened:
    """Return the first link that is ready. Others are ended before this returns.

    The next opener is begun when one has failed, or beside one that is not ready after `doubt_s`. What the server
    itself refuses, or asks to be tried later, is not tried on another transport.

    Raises:
        LinkRefused, LinkEnded: the server does not want us.
        LinkLost: no transport became ready.
    """
    waiting = list(openers)
    running: set[asyncio.Task[Opened]] = set()
    failure = LinkLost("no transport")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.get_running_loop().create_task(waiting.pop(0)()))  # ended below
            done, _ = await asyncio.wait(
                running, timeout=doubt_s if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            running -= done
            for task in done:
                error = task.exception()
                if error is None:
                    running |= done - {task}
                    return task.result()
                if not isinstance(error, LinkLost) or error.retry_after_s is not None:
                    raise error
                failure = error
        raise failure
    finally:
        await _end_all(running)


async def _end_all(tasks: set[asyncio.Task[Opened]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and task.exception() is None:
            await task.result()[0].close()

"""Subscriptions for programs without an event loop of their own."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Self

import httpx

from fanoutcloud_client.events import Event, ReceivedItem, Reset
from fanoutcloud_client.service import Service
from fanoutcloud_client.subscriptions import AsyncSubscription, State, Wanted


class Subscription:
    """An endless iterator of events; use it with `with`. It has an event loop that runs while you wait for an event.

    It needs no thread, and so does nothing between two events: whoever takes minutes for one is given up by the
    server and comes back by position. Not for use where an event loop runs already: see AsyncFanout.
    """

    def __init__(self, service: Service, wanted: Wanted, make_http: Callable[[], httpx.AsyncClient]) -> None:
        self._runner = asyncio.Runner()
        self._http: httpx.AsyncClient = self._runner.run(_made(make_http))
        try:
            self._inner: AsyncSubscription = self._runner.run(_begun(service, wanted, self._http))
        except BaseException:
            self._end()
            raise

    @property
    def positions(self) -> dict[str, str]:
        """The newest position of each channel: to be kept, and given as `since` another time."""
        return self._inner.positions

    @property
    def state(self) -> State:
        """Where it stood when the last event was asked for."""
        return self._inner.state

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        """Return the next event; see `AsyncSubscription`."""
        event = self._runner.run(_next_of(self._inner))
        if event is None:
            raise StopIteration
        return event

    def get(self, *, timeout_s: float) -> Event | None:
        """Return the next event, or None if none came in time, or none will come any more."""
        return self._runner.run(self._inner.get(timeout_s=timeout_s))

    def items(self, *, on_reset: Callable[[Reset], object]) -> Iterator[ReceivedItem]:
        """Yield items alone. `on_reset` is called where items were lost: load your state anew there."""
        for event in self:
            if isinstance(event, ReceivedItem):
                yield event
            elif isinstance(event, Reset):
                on_reset(event)

    def close(self) -> None:
        """End the connection; again does nothing."""
        if self._http.is_closed:
            return
        self._runner.run(self._inner.close())
        self._end()

    def _end(self) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()


async def _made(make_http: Callable[[], httpx.AsyncClient]) -> httpx.AsyncClient:
    return make_http()


async def _begun(service: Service, wanted: Wanted, http: httpx.AsyncClient) -> AsyncSubscription:
    return AsyncSubscription(service, wanted, http)


async def _next_of(subscription: AsyncSubscription) -> Event | None:
    return await anext(subscription, None)

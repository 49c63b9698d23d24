"""Which of several transports it becomes."""

import asyncio

import pytest

from fanoutcloud_client.errors import LimitReached, Unauthorized
from fanoutcloud_client.transports.ladder import Opened, Opener, open_first
from fanoutcloud_client.transports.link import LinkLost, LinkRefused, Message, TransportName


class SomeLink:
    """A link that only notes that it was closed."""

    name: TransportName = "sse"
    tells_every_position = True

    def __init__(self) -> None:
        self.is_closed = False

    async def receive(self) -> Message:
        return {}

    async def send_token(self, token: str) -> bool:
        return False

    async def close(self) -> None:
        self.is_closed = True


def opening(link: SomeLink) -> Opener:
    async def opener() -> Opened:
        return link, {}

    return opener


def failing(error: Exception) -> Opener:
    async def opener() -> Opened:
        raise error

    return opener


class Silent:
    """An opener that never becomes ready, as behind a proxy that buffers."""

    def __init__(self) -> None:
        self.was_ended = False

    async def __call__(self) -> Opened:
        try:
            await asyncio.Event().wait()
        finally:
            self.was_ended = True
        raise AssertionError


async def test_the_first_is_taken_and_the_others_are_not_begun() -> None:
    first, second = SomeLink(), SomeLink()

    link, _ = await open_first([opening(first), opening(second)])

    assert link is first
    assert not first.is_closed


async def test_a_silent_one_is_overtaken_and_ended() -> None:
    silent, link = Silent(), SomeLink()

    taken, _ = await open_first([silent, opening(link)], doubt_s=0.01)

    assert taken is link
    assert silent.was_ended


async def test_a_failed_one_is_followed_at_once() -> None:
    link = SomeLink()

    taken, _ = await open_first([failing(LinkLost("unreachable")), opening(link)], doubt_s=60)

    assert taken is link


@pytest.mark.parametrize(
    "error",
    [
        LinkRefused(Unauthorized("no token")),
        LinkLost("limit", error=LimitReached("too many", retry_after_s=5)),
    ],
)
async def test_what_the_server_itself_says_holds_for_all_transports(error: Exception) -> None:
    with pytest.raises(type(error)):
        await open_first([failing(error), opening(SomeLink())], doubt_s=60)


async def test_where_none_works_the_last_failure_is_told() -> None:
    with pytest.raises(LinkLost, match="second"):
        await open_first([failing(LinkLost("first")), failing(LinkLost("second"))], doubt_s=60)

"""Bodies on their way to Django: bounded in bytes and in time."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from fanoutcloud.bounded_body import BoundedBody

POST: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}


class Reader:
    """An application that reads the whole body, as Django does."""

    def __init__(self) -> None:
        self.read: list[str | bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.read.append("hung up")
                return
            self.read.append(message["body"])
            if not message["more_body"]:
                return


def _sending(*chunks: bytes) -> Any:
    messages: Iterator[Any] = iter(
        {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
        for place, chunk in enumerate(chunks)
    )

    async def receive() -> Any:
        return next(messages)

    return receive


async def _nobody(message: Any) -> None:
    raise AssertionError(f"nothing is to be sent, and this was: {message}")


async def test_a_body_within_the_bounds_passes_as_it_is():
    reader = Reader()

    await BoundedBody(reader, max_bytes=6, timeout_s=1)(POST, _sending(b"abc", b"def"), _nobody)

    assert reader.read == [b"abc", b"def"]


async def test_a_body_that_turns_out_too_large_is_hung_up_on():
    reader = Reader()

    await BoundedBody(reader, max_bytes=5, timeout_s=1)(POST, _sending(b"abc", b"def", b"g"), _nobody)

    assert reader.read == [b"abc", "hung up"]


async def test_a_body_that_says_it_is_too_large_is_refused_unread():
    reader, sent = Reader(), []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = POST | {"headers": [(b"content-length", b"7")]}
    await BoundedBody(reader, max_bytes=6, timeout_s=1)(scope, _sending(b""), send)

    assert sent[0]["status"] == 413
    assert b"6 bytes" in sent[1]["body"]
    assert reader.read == []


async def test_a_body_that_does_not_come_is_hung_up_on():
    reader = Reader()

    async def receive() -> Any:
        await asyncio.Event().wait()

    await BoundedBody(reader, max_bytes=6, timeout_s=0.01)(POST, receive, _nobody)

    assert reader.read == ["hung up"]


@pytest.mark.parametrize("length", [b"", b"-1", b"many"])
async def test_a_length_that_is_none_is_left_to_the_count(length: bytes):
    reader = Reader()

    scope = POST | {"headers": [(b"content-length", length)]}
    await BoundedBody(reader, max_bytes=6, timeout_s=1)(scope, _sending(b"abc"), _nobody)

    assert reader.read == [b"abc"]

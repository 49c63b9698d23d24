"""What two edges say to each other: understood, or refused with one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.edge.takeover import messages
from fanoutcloud.edge.takeover.messages import Connection, Message, Misunderstood, decode, encode

_CONNECTION = Connection(
    "sse", realm="0a1b2c3d", name="0123456700000001", channels=[("hello", "k3v9q1zt", 5)], early=b"\x00\xff"
)


@pytest.mark.parametrize(
    "message",
    [
        messages.Hello(1),
        messages.Listening(1),
        messages.Accepting(),
        messages.Channels([("0a1b2c3d", "hello")]),
        messages.Subscribed(),
        messages.Batch(7, [_CONNECTION]),
        messages.Have(7, [0]),
        messages.Yours(7),
        messages.Cancel(),
        messages.Done(10_000, 3),
        messages.Bye(),
    ],
)
def test_what_is_said_is_understood(message: Message) -> None:
    assert decode(encode(message)) == message


def test_the_greeting_stays_as_it_is_in_all_versions() -> None:
    """An edge of any age must be able to read these two, or a deploy across versions loses its listening socket."""
    assert encode(messages.Hello(99)) == b"\x82\xa4type\xa5Hello\xa7version\x63"
    assert encode(messages.Listening(99)) == b"\x82\xa4type\xa9Listening\xa7version\x63"


@given(st.binary(max_size=200))
def test_anything_else_is_misunderstood(noise: bytes) -> None:
    try:
        message = decode(noise)
    except Misunderstood:
        return
    assert decode(encode(message)) == message

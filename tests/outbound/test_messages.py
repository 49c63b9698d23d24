"""Collecting a body, and how servers are written."""

import pytest

from fanoutcloud.outbound.errors import AnswerTooLarge, BrokenOff
from fanoutcloud.outbound.messages import Endpoint, Response
from tests.fakes.origin import FakeBody


def response_of(*pieces: bytes | BrokenOff) -> Response:
    return Response(status=200, reason=b"OK", headers=[], body=FakeBody(*pieces))


async def test_a_body_is_collected_whole() -> None:
    assert await response_of(b"ab", b"c").collect(3) == b"abc"


async def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    response = response_of(b"ab", b"cd", b"ef")

    with pytest.raises(AnswerTooLarge, match="larger than 3 bytes"):
        await response.collect(3)

    assert isinstance(response.body, FakeBody)
    assert response.body.is_closed


async def test_a_body_that_breaks_off_is_not_collected() -> None:
    with pytest.raises(BrokenOff):
        await response_of(b"ab", BrokenOff("it went away")).collect(100)


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        (Endpoint("a.example", 80), "a.example"),
        (Endpoint("a.example", 443), "a.example:443"),
        (Endpoint("a.example", 443, is_tls=True), "a.example"),
        (Endpoint("2001:db8::1", 8080), "[2001:db8::1]:8080"),
    ],
)
def test_the_port_of_the_scheme_is_not_written(endpoint: Endpoint, authority: str) -> None:
    assert endpoint.authority == authority

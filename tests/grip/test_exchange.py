"""Which answers of an origin are for the edge."""

import pytest

from fanoutcloud.grip.exchange import OriginResponse, has_instructions
from fanoutcloud.outbound.messages import Headers
from tests.fakes.origin import FakeBody


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"Content-Type", b"text/plain")], False),
        ([], False),
        ([(b"Grip-Hold", b"stream")], True),
        ([(b"GRIP-ANYTHING", b"")], True),
        ([(b"X-Grip-Hold", b"stream")], False),
        ([(b"content-type", b"application/grip-instruct")], True),
        ([(b"Content-Type", b"Application/Grip-Instruct; charset=utf-8")], True),
        ([(b"Content-Type", b"application/grip-instructions")], False),
    ],
)
def test_a_grip_header_or_the_instruct_media_type_makes_an_instruction(headers: Headers, expected: bool) -> None:
    response = OriginResponse(status=200, reason=b"OK", headers=headers, body=FakeBody())

    assert has_instructions(response) is expected

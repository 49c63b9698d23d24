"""What is shown of an item to the people who watch a realm."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.activity import PREVIEW_CHARACTERS, Refused, preview_of


def test_short_text_is_shown_whole():
    assert preview_of('{"text":"grüße"}'.encode()) == '{"text":"grüße"}'


@pytest.mark.parametrize("character", ["x", "é", "€", "\U0001f389"])
@pytest.mark.parametrize("shift", range(5))
def test_long_text_is_cut_between_characters(character: str, shift: int):
    text = "-" * shift + character * 3000

    assert preview_of(text.encode()) == text[:PREVIEW_CHARACTERS]


@pytest.mark.parametrize(
    "content", [b"\xff", b"\xff\xfe", b"abc\xff", b"\x89PNG\r\n\x1a\n\x00\xff", b"\xff" * 3000, b"caf\xc3"]
)
def test_bytes_that_are_no_text_are_counted(content: bytes):
    assert preview_of(content) == f"{len(content)} bytes of binary content"


@given(content=st.binary(max_size=3000))
def test_every_content_has_a_preview_that_can_be_sent_on(content: bytes):
    preview = preview_of(content)

    assert len(preview) <= PREVIEW_CHARACTERS
    assert msgspec.json.decode(msgspec.json.encode(preview)) == preview


def test_an_event_names_its_kind():
    event = Refused(at=1.5, status=401, code="wrong_key", message="m", cure="c", field=None, address="127.0.0.1")

    assert msgspec.json.decode(msgspec.json.encode(event))["kind"] == "refused"

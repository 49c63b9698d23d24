"""Names of realms and channels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import MAX_CHANNEL_NAME_BYTES, find_realm_id, parse_channel_name
from tests.core.published import refusal_or


@pytest.mark.parametrize("text", ["0a1b2c3d", "chosen-name_2013", "A", "x" * 64])
def test_realm_ids_are_random_digits_or_the_chosen_names_of_the_old_service(text: str):
    assert find_realm_id(text) == text


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a/b", "a.b", "é", "0a1b2c3d\n", "a%20b", "\x00"])
def test_what_no_realm_can_be_called_is_not_found(text: str):
    assert find_realm_id(text) is None


@pytest.mark.parametrize("name", ["hello", "room/7", "/", "+open", "ünïcödé 🎉", "a b", "*", "x" * 512, "é" * 256])
def test_channels_may_have_any_printable_name(name: str):
    assert parse_channel_name(name) == name


@pytest.mark.parametrize("name", ["x" * 513, "é" * 257, "x" * 10_000, "\U0001f389" * 129])
def test_the_length_of_a_channel_name_is_counted_in_bytes(name: str):
    with pytest.raises(InvalidRequest, match=r"^channel: the channel name is longer than 512 bytes$"):
        parse_channel_name(name)


@pytest.mark.parametrize("character", ["\x00", "\n", "\r", "\t", "\x1f", "\x7f", "\x80", "\x9f", "\u2028", "\u2029"])
def test_a_control_character_in_a_channel_name_is_refused(character: str):
    with pytest.raises(InvalidRequest, match="holds a control character"):
        parse_channel_name(f"a{character}b")


def test_an_empty_channel_name_is_refused_with_its_place():
    with pytest.raises(InvalidRequest) as refused:
        parse_channel_name("", field="items[3].channel")

    assert refused.value.line == "items[3].channel: the channel name is empty; name a channel, such as 'hello'"


@given(name=st.text(st.characters()))
def test_every_name_is_taken_as_it_is_or_refused_with_our_error(name: str):
    taken = refusal_or(lambda: parse_channel_name(name))

    if isinstance(taken, InvalidRequest):
        assert taken.line.isprintable()
    else:
        assert taken == name
        assert 0 < len(name.encode()) <= MAX_CHANNEL_NAME_BYTES

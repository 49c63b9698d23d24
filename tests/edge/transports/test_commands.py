"""What a client may say on a WebSocket: whatever comes, a command or one of our errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.edge.transports.commands import Command, parse_command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('{"type":"ping"}', Command("ping")),
        ('{"type":"ping","channel":"a"}', Command("ping")),
        ('{"type":"subscribe","channel":"a"}', Command("subscribe", "a")),
        ('{"type":"subscribe","channel":"a","since":"abcdefgh:1"}', Command("subscribe", "a", "abcdefgh:1")),
        (
            '{"type":"subscribe","channel":"a","filter":"n == 1"}',
            Command("subscribe", "a", filter="n == 1"),
        ),
        (' {"new":[1],"channel":"a","type":"unsubscribe"} ', Command("unsubscribe", "a")),
    ],
)
def test_a_command_is_read(text: str, command: Command) -> None:
    assert parse_command(text) == command


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"type":1}', '{"type":"subscribe"}', '{"type":"x"}', '{"type":"ping"} more', "[" * 60_000]
)
def test_anything_else_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_command(text)

    assert refused.value.cure


@given(st.text() | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner)).map(repr))
def test_nothing_but_our_errors_is_raised(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_command(text)


def test_a_pattern_takes_the_place_of_a_channel_and_has_no_position_and_no_presence() -> None:
    assert parse_command('{"type":"subscribe","pattern":"a.*"}') == Command("subscribe", pattern="a.*")
    for name, value in (("channel", '"a"'), ("since", '"abcdefgh:1"'), ("presence", "true")):
        with pytest.raises(InvalidRequest) as refused:
            parse_command(f'{{"type":"subscribe","pattern":"a.*","{name}":{value}}}')
        assert refused.value.field == name

"""What a subscriber asks for: whatever comes, a request or one of our errors."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.site.requests import choose, client_address, parse_subscribe, read_seconds


def _scope(query: str | bytes, **headers: str) -> Scope:
    return {
        "query_string": query if isinstance(query, bytes) else query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
    }


def _parse(query: str | bytes, **headers: str) -> Any:
    return parse_subscribe(_scope(query, **headers), max_channels=5)


@given(st.binary(max_size=200), st.text(st.characters(max_codepoint=255), max_size=40))
def test_nothing_but_our_errors_is_raised(query: bytes, last_event_id: str) -> None:
    try:
        request = _parse(query, last_event_id=last_event_id)
    except InvalidRequest:
        return
    assert 1 <= len(request.channels) <= 5


_NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20),
    min_size=1,
    max_size=5,
    unique=True,
)


@given(_NAMES)
def test_channels_are_read_back_in_their_order(names: list[str]) -> None:
    assert _parse("&".join(f"channel={quote(name, safe='')}" for name in names)).channels == names
    assert _parse(urlencode([("channel", name) for name in names])).channels == names


def test_a_channel_named_twice_counts_once() -> None:
    assert _parse("channel=a&channel=b&channel=a").channels == ["a", "b"]


def test_a_cursor_gives_each_channel_its_position() -> None:
    request = _parse("channel=a&channel=b&since=abcdefgh:1,ijkmnpqr:22")

    assert request.wanted == [("a", StreamPosition("abcdefgh", 1)), ("b", StreamPosition("ijkmnpqr", 22))]


def test_without_a_cursor_each_channel_begins_now() -> None:
    assert _parse("channel=a&since=").wanted == [("a", None)]


def test_the_header_wins_over_the_query() -> None:
    query = "channel=a&since=abcdefgh:1&lastEventId=abcdefgh:2"

    assert _parse(query).since == [StreamPosition("abcdefgh", 2)]
    assert _parse(query, last_event_id="abcdefgh:3").since == [StreamPosition("abcdefgh", 3)]
    assert _parse(query, last_event_id="").since == [StreamPosition("abcdefgh", 2)]


def test_more_channels_than_allowed_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="6 channels") as refused:
        _parse("&".join(f"channel={number}" for number in range(6)))

    assert refused.value.field == "channel"


def test_a_websocket_may_begin_without_channels() -> None:
    assert parse_subscribe(_scope(""), max_channels=5, needs_channel=False).wanted == []


def test_an_option_is_one_of_those_offered() -> None:
    assert choose({}, "mode", among=("json", "raw")) == "json"
    assert choose({"mode": "raw"}, "mode", among=("json", "raw")) == "raw"
    with pytest.raises(InvalidRequest, match="is not offered"):
        choose({"mode": "x" * 500}, "mode", among=("json", "raw"))


@pytest.mark.parametrize(("text", "seconds"), [(None, 25.0), ("0", 0.0), ("30", 30.0), ("9999", 55.0)])
def test_seconds_are_cut_to_their_limit(text: str | None, seconds: float) -> None:
    options = {} if text is None else {"timeout": text}

    assert read_seconds(options, "timeout", default=25.0, limit=55.0) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "٣", "1" * 7, "nan"])
def test_what_is_no_whole_number_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_seconds({"timeout": text}, "timeout", default=25.0, limit=55.0)


@pytest.mark.parametrize(("client", "address"), [(("192.0.2.1", 5), "192.0.2.1"), (None, "")])
def test_the_address_is_the_peers(client: Any, address: str) -> None:
    assert client_address({"client": client}) == address


def test_patterns_are_read_where_they_are_offered() -> None:
    request = parse_subscribe(_scope("pattern=a.*&pattern=a.*&pattern=*"), max_channels=5, max_patterns=2)
    assert [str(pattern) for pattern in request.patterns] == ["a.*", "*"]
    assert request.wanted == []


@pytest.mark.parametrize(("query", "most"), [("pattern=a.*", 0), ("pattern=a.*&pattern=b.*", 1), ("pattern=a", 1)])
def test_other_patterns_are_refused(query: str, most: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_subscribe(_scope(query), max_channels=5, max_patterns=most)
    assert refused.value.field == "pattern"

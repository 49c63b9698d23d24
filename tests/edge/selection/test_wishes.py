"""Wishes as clients write them."""

import pytest

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName
from fanoutcloud.edge.selection.wishes import read_wish, read_wishes, write_wish

A, B = ChannelName("a"), ChannelName("b")


def test_without_options_nothing_is_wished() -> None:
    assert read_wish({}) is read_wish({"filter": None}) is None
    assert read_wishes({}, [A]) is None


def test_one_wish_holds_for_all_channels_of_a_request() -> None:
    wishes = read_wishes({"filter": "n == 1"}, [A, B])

    assert wishes is not None
    assert list(wishes) == [A, B]
    assert wishes[A] is wishes[B]


def test_a_wish_is_written_as_it_is_read() -> None:
    wish = read_wish({"filter": "n  == 1"})

    assert wish is not None
    assert read_wish(write_wish(wish)) == wish
    assert write_wish(wish) == {"filter": "n  == 1"}


def test_deltas_are_wished_with_or_without_a_filter() -> None:
    for options in ({"delta": "merge-patch"}, {"filter": "n == 1", "delta": "merge-patch"}):
        wish = read_wish(options)
        assert wish is not None
        assert wish.has_delta
        assert write_wish(wish) == options


def test_another_delta_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_wish({"delta": "vcdiff"})
    assert refused.value.field == "delta"


def test_a_wrong_filter_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_wish({"filter": "n === 1"})
    assert refused.value.field == "filter"

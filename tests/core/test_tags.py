"""Tags of published items: what may be one, and how a wrong one is named."""

import pytest

from fanoutcloud.core.errors import InvalidItem
from fanoutcloud.core.items import pack_item, unpack_item
from fanoutcloud.core.tags import MAX_TAG_NUMBER, MAX_TAGS, TagValue
from tests.core.published import parse_one


def test_tags_are_kept_with_their_types_through_the_broker() -> None:
    tags = {"kind": "a", "priority": 3, "ratio": 0.5, "is_new": True, "a.b-c_2": ""}

    item = unpack_item(pack_item(parse_one(json_object=1, tags=tags)))

    assert item.tags == tags
    assert [type(value) for value in item.tags.values()] == [str, int, float, bool, str]


def test_an_item_without_tags_has_none() -> None:
    assert parse_one(json_object=1).tags == {}
    assert parse_one(json_object=1, tags=None).tags == {}


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"kind": [1]}, "items[0].tags[...]: expected"),
        ({"kind": None}, "items[0].tags[...]: expected"),
        ("kind", "items[0].tags: expected 'object | null', got 'str'"),
        ({"": 1}, "items[0].tags: the name '' can't be used in filters"),
        ({"a b": 1}, "items[0].tags: the name 'a b' can't be used in filters"),
        ({"1a": 1}, "items[0].tags: the name '1a' can't be used in filters"),
        ({"a" * 65: 1}, "items[0].tags: the name"),
        ({"kind": "x" * 257}, "items[0].tags.kind: is longer than 256 bytes"),
        ({"kind": "ä" * 129}, "items[0].tags.kind: is longer than 256 bytes"),
        ({"n": MAX_TAG_NUMBER + 1}, "items[0].tags.n: is too large a number"),
        ({"n": -1e300}, "items[0].tags.n: is too large a number"),
        ({f"t{n}": n for n in range(MAX_TAGS + 1)}, "items[0].tags: holds 33 tags"),
    ],
)
def test_wrong_tags_are_refused_with_their_place(tags: dict[str, TagValue], message: str) -> None:
    with pytest.raises(InvalidItem) as refused:
        parse_one(json_object=1, tags=tags)

    assert str(refused.value).startswith(message)
    assert refused.value.cure

"""Ids in the body of a refused publish."""

import json

import pytest

from fanoutcloud.core.named_ids import MAX_BYTES, MAX_ID_CHARACTERS, MAX_IDS, find_named_ids


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'{"items": [{"channel": "a", "id": "one"}, {"id" : "two"}, {"id": "one"}]}', ("one", "two")),
        (b'{"items": [{"channel": "a", "id": "one", }]}', ("one",)),
        (b'{"items": [{"channel": "a", "prev-id": "one"}]}', ()),
        ('{"id": "größe"}'.encode(), ("größe",)),
        (b'{"id": 5}', ()),
        (b"\xff\xfe", ()),
        (b"", ()),
    ],
)
def test_ids_are_found_whether_the_body_is_json_or_not(body: bytes, ids: tuple[str, ...]):
    assert find_named_ids(body) == ids


def test_what_is_kept_of_a_body_is_bounded():
    many = json.dumps([{"id": f"{number:05}"} for number in range(5000)]).encode()

    assert len(find_named_ids(many)) == MAX_IDS
    assert find_named_ids(b'{"id": "' + b"x" * (MAX_ID_CHARACTERS + 1) + b'"}') == ()
    assert find_named_ids(b" " * MAX_BYTES + b'{"id": "late"}') == ()

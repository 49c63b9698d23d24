"""JSON Merge Patch: what a client makes of base and patch is the target, always."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.merge_patch import make_merge_patch


def _apply(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _apply(result.get(name), value)
    return result


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("base", "target", "patch"),
    [
        (b'{"a":1,"b":"long enough"}', b'{"a":2,"b":"long enough"}', b'{"a":2}'),
        (b'{"a":1,"b":"long enough"}', b'{"b":"long enough"}', b'{"a":null}'),
        (b'{"p":{"x":1,"y":"yyyyyyyy"}}', b'{"p":{"x":1.50,"y":"yyyyyyyy"}}', b'{"p":{"x":1.50}}'),
        (b'{"a":"aaaaaaaaa"}', b'{"a":"aaaaaaaaa","b":[1,2]}', b'{"b":[1,2]}'),
        (b'{"a":"aaaaaaaaa"}', b'{"a":"aaaaaaaaa"}', b"{}"),
        (b'{"big":12345678901234567890123,"a":1}', b'{"big":12345678901234567890124,"a":2}', None),
        (b'{"a":1}', b'{"a":2}', None),
        (b"[1]", b"[1,2]", None),
        (b'{"a":1,"b":"long enough"}', b'{"a":null,"b":"long enough"}', None),
        (b'{"b":"long enough"}', b'{"a":{"c":null},"b":"long enough"}', None),
        (b"not json", b'{"a":1}', None),
    ],
)
def test_a_patch_says_the_difference_or_there_is_none(base: bytes, target: bytes, patch: bytes | None) -> None:
    assert make_merge_patch(base, target) == patch


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from("abcd"), _values, max_size=4)


@given(_objects, _objects)
def test_base_and_patch_make_the_target(base: Any, target: Any) -> None:
    long = {"same": "x" * 50}
    patch = make_merge_patch(_dump(base | long), _dump(target | long))

    if patch is not None:
        assert _apply(base | long, json.loads(patch)) == target | long


def test_depth_is_bounded() -> None:
    base, target = b"1", b"2"
    for _ in range(300):
        base, target = b'{"a":%b}' % base, b'{"a":%b}' % target

    assert make_merge_patch(base, target) is None or len(make_merge_patch(base, target) or b"") < len(target)

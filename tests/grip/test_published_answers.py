"""What an item makes of a held answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.items import HttpResponse
from fanoutcloud.grip.instructions import Answer
from fanoutcloud.grip.published_answers import AnswerPool, encode, merge, patch

ORIGIN = Answer(200, "OK", ((b"Set-Cookie", b"a"), (b"Set-Cookie", b"b"), (b"X-A", b"1")), b"x")


def test_headers_are_merged_by_name():
    published = HttpResponse(
        404, headers=(("set-cookie", "c"), ("X-B", "é"), ("Grip-Hold", "stream")), reason="Nowhere"
    )

    assert merge(ORIGIN, published, b"y") == Answer(
        404, "Nowhere", ((b"X-A", b"1"), (b"set-cookie", b"c"), (b"X-B", "é".encode())), b"y"
    )


@pytest.mark.parametrize(
    ("body", "operations", "patched"),
    [
        (b'{"a":1}', [{"op": "replace", "path": "/a", "value": 2}], b'{"a":2}'),
        (b"[1]\n", [{"op": "add", "path": "/-", "value": "\u00e9"}], '[1,"é"]\n'.encode()),
        (b"[1]", [], b"[1]"),
        (b"1", [], b""),
        (b"{", [], b""),
        (b"[1]", [{"op": "remove", "path": "/7"}], b""),
        (b"[1]", [{"op": "burn", "path": "/0"}], b""),
        (b"[1]", [7], b""),
        (b"[1]", [{"op": "test", "path": "/0", "value": 2}], b""),
    ],
)
def test_patches(body: bytes, operations: Any, patched: bytes):
    assert patch(body, json.dumps(operations).encode()) == patched


@given(
    body=st.binary(max_size=50),
    operations=st.lists(st.dictionaries(st.sampled_from(["op", "path", "value"]), st.text())),
)
def test_patching_gives_json_or_nothing(body: bytes, operations: Any):
    patched = patch(body, json.dumps(operations).encode())

    assert patched == b"" or isinstance(json.loads(patched), dict | list)


def test_framing_is_done_anew():
    answer = Answer(200, "OK", ((b"Content-Length", b"99"), (b"connection", b"close"), (b"X", b"1")), b"body")

    assert encode(answer) == b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 4\r\n\r\nbody"
    assert encode(answer, is_head=True) == b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 4\r\n\r\n"
    assert encode(answer, closes=True).endswith(b"Connection: close\r\n\r\nbody")
    assert encode(Answer(304, "Not Modified", (), b"x")) == b"HTTP/1.1 304 Not Modified\r\n\r\n"


def test_equal_answers_are_shared_while_somebody_holds_them():
    pool = AnswerPool()
    one = pool.share(Answer(200, "OK", (), b"x"))

    assert pool.share(Answer(200, "OK", (), b"x")) is one
    assert pool.share(Answer(200, "OK", (), b"y")) is not one

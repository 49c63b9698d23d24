"""JSON-P: what a query may ask for, and what no page may be made to run."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.grip.exchange import Answer
from fanoutcloud.grip.json_p import as_script, read_script_request

GUID = "D3DDFE2A-6E6D-47A7-8F3B-0A4A8E71A796"
CALLBACKS = ["f", "a.b$.c_1", "$", 'fo_jsonp_get_callback("3")', f'window["{GUID}"].getJsonpCallback("cb-7")']
ATTACKS = [
    "", "1a", "a b", "a;b", "a()",
    "alert(1)//", "a.", ".a", "a..b", "a[0]", 'a["b"]', "a\n", "a\u2028", "ä", "</script>",
    "a/**/b",    'fo_jsonp_get_callback("3")//', 'fo_jsonp_get_callback("3\\"")', "fo_jsonp_get_callback('3')",
    f'window["{GUID}"].getJsonpCallback("cb-x")', 'window["x"].getJsonpCallback("cb-1")', "x" * 201,
]  # fmt: skip


def ask(**members: str) -> bytes:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in members.items()).encode()


@pytest.mark.parametrize("callback", CALLBACKS)
def test_names_and_the_two_old_expressions_are_called(callback: str) -> None:
    script = read_script_request(ask(callback=callback))

    assert script is not None
    assert (script.callback, script.method, script.body, script.headers) == (callback, "GET", b"", [])


@pytest.mark.parametrize("callback", ATTACKS, ids=ascii)
def test_nothing_else_is_called(callback: str) -> None:
    with pytest.raises(InvalidRequest, match="callback"):
        read_script_request(ask(callback=callback))


def test_special_members_leave_the_query_and_others_stay_as_they_are() -> None:
    query = b"a=%2F+b&callback=f&&_method=DELETE&c&_body=%C3%A4&_headers=%7B%22X-A%22%3A%22b%22%7D&d=1"

    script = read_script_request(query)

    assert script is not None
    assert (script.query, script.method, script.body) == (b"a=%2F+b&&c&d=1", "DELETE", "ä".encode())
    assert script.headers == [(b"X-A", b"b")]


def test_a_query_without_a_callback_is_a_plain_get() -> None:
    assert read_script_request(b"_method=POST&a=b") is None
    assert read_script_request(b"") is None


@pytest.mark.parametrize(
    "members",
    [
        {"_method": "GE T"},
        {"_method": ""},
        {"_headers": "x"},
        {"_headers": "[]"},
        {"_headers": '{"a":1}'},
        {"_headers": '{"a b":"c"}'},
        {"_headers": '{"a":"b\\r\\nc: d"}'},
        {"_headers": '{"Host":"x"}'},
        {"_headers": '{"Content-Length":"1"}'},
        {"_headers": '{"transfer-encoding":"chunked"}'},
        {"_headers": '{"Connection":"x"}'},
        {"_headers": '{"Grip-Sig":"x"}'},
        {"_headers": '{"ä":"x"}'},
        {"_headers": "[" * 100_000},
    ],
)
def test_what_can_not_be_sent_is_refused(members: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=r"_method|_headers"):
        read_script_request(ask(callback="f", **members))


@given(st.binary(max_size=50), st.binary(max_size=20))
def test_a_script_is_ascii_that_calls_with_what_came(body: bytes, value: bytes) -> None:
    answer = as_script("f", Answer(500, b"Oh", [(b"X", value), (b"X", b"2")], body))

    assert (answer.status, answer.headers) == (200, [(b"Content-Type", b"application/javascript")])
    assert answer.body.isascii()
    assert answer.body[:6] == b"/**/f("
    members = json.loads(answer.body[6:-3])
    assert (members["code"], members["headers"]["X"]) == (500, f"{value.decode('latin-1')}, 2")
    assert members["body"] == body.decode("utf-8", "replace")
    assert b"</" not in answer.body or b"</" in body + value

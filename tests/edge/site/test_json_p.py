"""Callbacks of JSON-P, and the scripts that call them."""

import pytest

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.edge.site.json_p import check_callback, write_script

POLLYMER = 'window["D3DDFE2A-6E6D-47A7-8F3B-0A4A8E71A796"].getJsonpCallback("cb-12")'


@pytest.mark.parametrize("text", ["f", "$_a1", "a.b.c", "__jsonp1__", 'fo_jsonp_get_callback("3")', POLLYMER])
def test_names_and_two_known_shapes_may_be_called(text: str) -> None:
    assert check_callback(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "a b", "a()", "a;b", "a.", ".a", "1a", "a[0]", "a\n", "ä", "<b>", "a" * 201, POLLYMER + ";", "a..b",
        'fo_jsonp_get_callback("x")', 'fo_jsonp_get_callback("3");', "fo_jsonp_get_callback('3')",
        POLLYMER.replace("12", '12")("'), POLLYMER.replace("D3", "D4"),
    ],
)  # fmt: skip
def test_nothing_else_may(text: str) -> None:
    with pytest.raises(InvalidRequest):
        check_callback(text)


def test_a_script_begins_with_a_comment_and_escapes_line_separators() -> None:
    assert write_script("a.b", '["\u2028\u2029"]'.encode()) == b'/**/a.b(["\\u2028\\u2029"]);\n'

"""JSON inside XML, both ways."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.xml_elements import Element
from fanoutcloud.core.xml_parsing import XmlLimits, parse_xml
from fanoutcloud.xmpp.json_text import JSON, MAX_JSON_BYTES, read_json, write_json
from fanoutcloud.xmpp.stanzas import StanzaError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_any_value_survives_the_way_out(value: object, is_escaped: bool) -> None:
    try:
        text = json.dumps(value, ensure_ascii=is_escaped).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can say
        text = json.dumps(value).encode()
    element = parse_xml(f"<json>{write_json(text)}</json>".encode(), XmlLimits())

    assert json.loads(element.text) == value
    assert element.text.isascii()


def test_numbers_keep_their_digits() -> None:
    assert read_json(Element("json", JSON, None, " [1.10, 123456789012345678901234567890] ")) == (
        b"[1.10,123456789012345678901234567890]"
    )


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        (Element("json", "urn:other", None, "1"), "invalid-payload"),
        (Element("text", JSON, None, "1"), "invalid-payload"),
        (Element("json", JSON), "invalid-payload"),
        (Element("json", JSON, None, "  "), "invalid-payload"),
        (Element("json", JSON, None, '{"a":'), "invalid-payload"),
        (Element("json", JSON, None, "[" * 100_000), "invalid-payload"),
        (Element("json", JSON, None, "1", Element("b", JSON)), "invalid-payload"),
        (Element("json", JSON, None, '"' + "x" * MAX_JSON_BYTES + '"'), "payload-too-big"),
    ],
)
def test_what_is_no_json_is_refused_with_its_condition(payload: Element, detail: str) -> None:
    with pytest.raises(StanzaError) as refused:
        read_json(payload)

    assert refused.value.detail is not None
    assert refused.value.detail.name == detail
    assert refused.value.text

"""XML from strangers: what is read, and what is refused before it costs anything."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.xml_elements import Element, write_element
from fanoutcloud.core.xml_parsing import XmlFault, XmlLimits, XmlReader, parse_xml

LIMITS = XmlLimits(stanza_bytes=20_000, depth=8, elements=50, attributes=8, name_characters=100)
HEADER = b"<?xml version='1.0'?><s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' to='x'>"
LAUGHS = b"<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><iq>&b;</iq>"


def reader() -> XmlReader:
    opened = XmlReader(LIMITS)
    opened.feed(HEADER)
    return opened


def test_stanzas_come_out_whole_however_the_bytes_are_cut() -> None:
    stream = HEADER + b"<iq id='1'><a xmlns='u' b='&lt;'>x&amp;y</a></iq> <presence/></s:stream>"
    for size in (1, 7, len(stream)):
        opened = XmlReader(LIMITS)
        found = [one for at in range(0, len(stream), size) for one in opened.feed(stream[at : at + size])]

        assert [one.name for one in found] == ["iq", "presence"]
        assert write_element(found[0]) == "<iq id='1'><a xmlns='u' b='&lt;'>x&amp;y</a></iq>"
        assert opened.header is not None
        assert opened.header.get("to") == "x"
        assert opened.is_ended


@pytest.mark.parametrize(
    ("hostile", "condition"),
    [
        (LAUGHS, "not-well-formed"),
        (b"<iq><!-- a --></iq>", "restricted-xml"),
        (b"<iq><?php ?></iq>", "restricted-xml"),
        (b"<iq>&undefined;</iq>", "not-well-formed"),
        (b"<iq><a></iq>", "not-well-formed"),
        (b"<iq a='1' a='2'/>", "not-well-formed"),
        (b"<x:iq/>", "not-well-formed"),
        (b"<iq>\x00</iq>", "not-well-formed"),
        ("<iq>\uffff</iq>".encode(), "not-well-formed"),
        (b"<iq>\xff</iq>", "not-well-formed"),
        (b"text", "bad-format"),
        (b"<a>" * 9, "policy-violation"),
        (b"<iq>" + b"<a/>" * 60, "policy-violation"),
        (b"<iq " + b" ".join(b"a%d='1'" % n for n in range(9)) + b"/>", "policy-violation"),
        (b"<" + b"a" * 101 + b"/>", "policy-violation"),
        (b"<iq a='" + b"x" * 30_000, "policy-violation"),
        (b"<iq>" + b"x" * 30_000, "policy-violation"),
        (b"<" + b"n" * 30_000, "policy-violation"),
    ],
)
def test_hostile_input_ends_the_stream_with_the_condition_of_the_rfc(hostile: bytes, condition: str) -> None:
    opened = reader()

    with pytest.raises(XmlFault) as fault:
        opened.feed(hostile)

    assert fault.value.condition == condition
    assert opened.feed(b"<iq/>") == []


def test_a_document_type_is_refused_before_its_entities_are_known() -> None:
    with pytest.raises(XmlFault) as fault:
        parse_xml(LAUGHS, LIMITS)

    assert fault.value.condition == "restricted-xml"


def test_a_giant_that_never_ends_costs_no_more_than_the_limit() -> None:
    opened = reader()
    tracemalloc.start()
    opened.feed(b"<iq><a b='" + b"x" * 10_000)
    with pytest.raises(XmlFault):
        opened.feed(b"x" * 100_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 101_000_000  # the bytes themselves, which the test made


def test_blanks_between_stanzas_may_go_on_for_ever() -> None:
    opened = reader()
    for _ in range(20):
        assert opened.feed(b" \n" * 2_000) == []

    assert [one.name for one in opened.feed(b"<iq/>")] == ["iq"]


def test_the_place_of_a_fault_is_told() -> None:
    with pytest.raises(XmlFault) as fault:
        parse_xml(b"<message>\n<body></message>", LIMITS)

    assert (fault.value.line, fault.value.column) == (2, 8)


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_written_can_be_read(text: str, value: str) -> None:
    """Also where XML has no way to say it: then U+FFFD stands in its place."""
    written = write_element(Element("a", "u", {"b": value}, f"-{text}"))
    read = parse_xml(written.encode(), XmlLimits())

    assert len(read.text) == len(text) + 1
    assert len(read.get("b") or "") == len(value)
    assert write_element(read) == written


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    opened = reader()
    try:
        found = opened.feed(data)
    except XmlFault:
        found = opened.take()

    assert all(write_element(one) for one in found)

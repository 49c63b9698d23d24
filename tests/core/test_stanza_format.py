"""Stanzas of publishers: read, judged, built anew."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidItem
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.stanza_format import HINT_WITHOUT_ID, WITHOUT_ID, check_receivers, parse_stanza, write_stanza
from fanoutcloud.core.xml_parsing import XmlLimits, parse_xml
from fanoutcloud.core.xmpp_rights import XmppRights

SENDER = "r@stanza.push.test"


def rebuilt(content: str) -> str:
    return write_stanza(parse_stanza(content, "p"), sender=SENDER).decode()


def test_a_stanza_is_from_its_realm_and_nobody_else() -> None:
    stanza = (
        "<message type='chat' id='1' from='boss@bank.example/desk'><body>Open &amp; shut<![CDATA[<]]></body></message>"
    )

    assert rebuilt(stanza) == (
        f"<message from='{SENDER}/desk' id='1' type='chat'><body>Open &amp; shut&lt;</body></message>"
    )


def test_what_is_in_another_namespace_is_kept() -> None:
    assert "<x xmlns='urn:example:x'><y/></x>" in rebuilt("<message><x xmlns='urn:example:x'><y/></x></message>")


def test_an_id_is_made_where_there_is_none_that_can_be_kept() -> None:
    ids = {
        parse_xml(rebuilt(text).encode(), XmlLimits()).get("id")
        for text in ("<presence/>", f"<presence id='{'x' * 129}'/>")
    }

    assert len(ids) == 2
    assert all(id_ and len(id_) == 16 for id_ in ids)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "text",
        "<message>",
        "<message/><message/>",
        "<!DOCTYPE m [<!ENTITY a 'b'>]><message><body>&a;</body></message>",
        "<message><!-- --></message>",
        "<message><?php ?></message>",
        "<message><body>&nbsp;</body></message>",
        "<message><body>\uffff</body></message>",
        "<message><body>\x00</body></message>",
        "<html/>",
        "<message xmlns='jabber:server'/>",
        "<message type='error'/>",
        "<presence type='probe'/>",
        "<presence type='error'/>",
        "<iq type='result'/>",
        "<iq/>",
        "<message from='a b@c'/>",
        "<message to='a b@c'/>",
        "<message><error type='cancel'/></message>",
        "<message><handshake/></message>",
        "<message><body><b/></body></message>",
        "<message><x xmlns='urn:x'><message xmlns='jabber:client'/></x></message>",
        "<message><x xmlns='urn:x'><message xmlns=''/></x></message>",
        "<message><sent xmlns='urn:xmpp:carbons:2'/></message>",
        "<message><forwarded xmlns='urn:xmpp:forward:0'/></message>",
        "<message><delay xmlns='urn:xmpp:delay'/></message>",
        "<message><r xmlns='urn:xmpp:sm:3'/></message>",
        "<message><token xmlns='urn:fanout:token:0'>x</token></message>",
        "<message><auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></message>",
        "<message><body>" + "x" * 70_000 + "</body></message>",
        "<message>" + "<a xmlns='u'>" * 40,
        "<message>" + "<a xmlns='u'/>" * 2_001 + "</message>",
    ],
)
def test_what_would_speak_for_others_or_end_the_stream_is_refused(content: str) -> None:
    with pytest.raises(InvalidItem) as refused:
        parse_stanza(content, "items[0].xmpp-stanza")

    assert refused.value.field == "items[0].xmpp-stanza.content"
    assert refused.value.cure


@given(st.text(max_size=80))
def test_no_text_raises_anything_else_or_gets_out_unread(text: str) -> None:
    for content in (text, f"<message><body>{text}</body></message>", f"<message {text}/>"):
        try:
            written = rebuilt(content)
        except InvalidItem:
            continue
        assert parse_xml(written.encode(), XmlLimits()).get("from").startswith(SENDER)  # type: ignore[union-attr]


def test_the_publisher_is_told_item_line_and_column() -> None:
    item = b'{"channel":"a","xmpp-stanza":{"content":"<message>\\n<x></message>"}}'
    body = b'{"items":[{"channel":"a","json-object":1},%b]}' % item
    with pytest.raises(InvalidItem) as refused:
        parse_publish(body)

    assert refused.value.field == "items[1].xmpp-stanza.content"
    assert "line 2, column 5" in str(refused.value)


def test_a_stanza_is_a_format_of_an_item() -> None:
    def parse(item: Any) -> list[str]:
        return parse_publish(item)[0].formats

    assert parse(b'{"items":[{"channel":"a","formats":{"xmpp-stanza":{"content":"<message/>"}}}]}') == ["xmpp-stanza"]


def test_an_iq_has_no_id_until_it_is_known_who_gets_it() -> None:
    assert rebuilt("<iq type='get' id='mine'><a xmlns='u'/></iq>").encode().startswith(WITHOUT_ID)
    assert HINT_WITHOUT_ID in WITHOUT_ID
    assert WITHOUT_ID not in rebuilt("<message><body>&lt;iq id='\x7f' from=</body></message>").encode()


def test_a_stanza_for_one_address_names_it_first() -> None:
    written = rebuilt("<iq type='get' to='Ops@Example.org/phone'><a xmlns='u'/></iq>")

    assert written.startswith(f"<iq to='ops@example.org' id='\x7f' from='{SENDER}' ")


@pytest.mark.parametrize(("to", "is_there"), [("ops@example.org", True), ("eve@example.org", False)])
def test_a_stanza_goes_to_no_address_that_gets_nothing_of_the_channel(to: str, is_there: bool) -> None:
    rights = XmppRights(receivers={"ops@example.org": frozenset({ChannelName("a")})})

    def check(channel: str) -> None:
        stanza = parse_stanza(f"<message to='{to}'/>", "p")
        check_receivers([Item(ChannelName("b")), Item(ChannelName(channel), xmpp_stanza=stanza)], rights)

    for channel in ("a", "b"):
        if is_there and channel == "a":
            check(channel)
        else:
            with pytest.raises(InvalidItem) as refused:
                check(channel)
            assert refused.value.field == "items[1].xmpp-stanza.content"

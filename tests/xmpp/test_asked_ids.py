"""Ids of IQs that are sent for realms."""

from fanoutcloud.core.jids import parse_jid
from fanoutcloud.core.stanza_format import WITHOUT_ID
from fanoutcloud.core.xml_parsing import XmlLimits, parse_xml
from fanoutcloud.xmpp.asked_ids import AskedIds

A, B = parse_jid("a@example.org/phone"), parse_jid("b@example.org")
IQ = WITHOUT_ID + b"'r@stanza.push.test' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"


def ids_of(stanzas: bytes) -> list[str]:
    return [one.get("id") or "" for one in parse_xml(b"<all>" + stanzas + b"</all>", XmlLimits()).elements]


def test_each_receiver_gets_an_id_of_its_own_for_each_iq() -> None:
    asked = AskedIds()
    ids = [*ids_of(asked.number(IQ + b"<message/>" + IQ, A)), *ids_of(asked.number(IQ, B))]

    assert ids[1] == ""
    assert len({*ids}) == 4


def test_an_answer_is_taken_once_and_from_who_was_asked() -> None:
    asked = AskedIds()
    [id_] = ids_of(asked.number(IQ, A))

    assert not asked.take(B, id_)
    assert not asked.take(A, "another")
    assert asked.take(A.bare, id_)
    assert not asked.take(A, id_)


def test_the_oldest_questions_are_forgotten() -> None:
    asked = AskedIds(most=2)
    ids = [ids_of(asked.number(IQ, A))[0] for _ in range(3)]

    assert [asked.take(A, id_) for id_ in ids] == [False, True, True]

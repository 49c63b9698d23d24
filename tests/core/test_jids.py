"""Addresses of XMPP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.jids import BadJid, Jid, find_jid, parse_jid


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("push.example.net", Jid("", "push.example.net")),
        ("Ops@Example.ORG/Laptop", Jid("ops", "example.org", "Laptop")),
        ("a@b/c@d/e", Jid("a", "b", "c@d/e")),
        ("ops@example.org.", Jid("ops", "example.org")),
        ("ops@[::1]", Jid("ops", "[::1]")),
    ],
)
def test_an_address_has_parts_of_which_the_resource_keeps_its_case(text: str, parsed: Jid) -> None:
    assert parse_jid(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@b",
        "a@",
        "a@b/",
        "a b@c",
        "a'b@c",
        "a<b@c",
        "a@b..c",
        "a@-b",
        "a" * 1024 + "@b",
        "a@b/\x00",
        "a@b/\uffff",
        "a@b@c",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadJid):
        parse_jid(text)


@given(st.text(max_size=60))
def test_an_address_is_itself_when_written_and_read_again(text: str) -> None:
    jid = find_jid(text)

    assert jid is None or parse_jid(str(jid)) == jid


def test_rights_go_by_the_bare_address() -> None:
    jid = parse_jid("ops@example.org/laptop")

    assert str(jid.bare) == "ops@example.org"
    assert jid.is_full
    assert not jid.bare.is_full
    assert jid.bare.with_resource("laptop") == jid

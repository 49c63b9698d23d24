"""Where stanzas to a realm are posted."""

import pytest

from fanoutcloud.core.jids import parse_jid
from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.gate import GateRules
from fanoutcloud.xmpp.stanza_origin import find_target

RULES = GateRules()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://app.example.org", "https://app.example.org/r.bot@stanza.d"),
        ("https://app.example.org/xmpp/", "https://app.example.org/xmpp/r.bot@stanza.d"),
        ("https://app.example.org/xmpp?key=1", "https://app.example.org/xmpp/r.bot@stanza.d?key=1"),
    ],
)
def test_the_address_is_the_last_part_of_the_path(url: str, expected: str) -> None:
    assert find_target(url, parse_jid("r.bot@stanza.d/phone"), RULES).url == expected


def test_no_address_leads_to_another_path() -> None:
    jid = parse_jid("r.?x=1#..%2f\\@stanza.d")

    assert (
        find_target("https://a.example/in?k", jid, RULES).url
        == "https://a.example/in/r.%3Fx%3D1%23..%252f%5C@stanza.d?k"
    )


def test_a_url_that_is_let_through_no_more_is_not_called() -> None:
    with pytest.raises(Blocked):
        find_target("https://a.example", parse_jid("r@stanza.d"), GateRules(schemes=("http",)))

"""Tokens that are remembered for XMPP servers that do not tell them."""

from fanoutcloud.core.jids import parse_jid
from fanoutcloud.xmpp.remembered_tokens import RememberedTokens

KIOSK, HALL = parse_jid("4f1d90ab.kiosk@push.test"), parse_jid("4f1d90ab.hall@push.test")


def test_the_newest_token_of_an_account_holds() -> None:
    tokens = RememberedTokens()

    for token in ("first", "second"):
        tokens.put(KIOSK, token)

    assert tokens.find(KIOSK) == "second"
    assert tokens.find(HALL) is None


def test_beyond_the_bound_the_account_is_forgotten_that_signed_in_longest_ago() -> None:
    tokens = RememberedTokens(most=2)

    for name in ("a", "b", "a", "c"):
        tokens.put(parse_jid(f"4f1d90ab.{name}@push.test"), name)

    found = [tokens.find(parse_jid(f"4f1d90ab.{name}@push.test")) for name in "abc"]
    assert found == ["a", None, "c"]

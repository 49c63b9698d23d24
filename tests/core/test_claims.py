"""Claims: both forms of channels, limits, and the place of every fault."""

import json

import pytest

from fanoutcloud.core.claims import MAX_INFO_BYTES, MAX_PERMISSIONS, TokenRefused, parse_claims, quote_short, span
from tests.core.signed import NOW, claims


def refusal(what: object) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        parse_claims(what if isinstance(what, bytes) else json.dumps(what).encode())
    assert caught.value.code == "bad_token"
    assert caught.value.cure
    return caught.value


def test_both_forms_of_channels_mean_the_same() -> None:
    as_object = claims(channels={"a.*": ["subscribe", "publish"], "b": ["subscribe"]})
    as_list = claims(channels=[{"name": "a.*", "capabilities": ["subscribe", "publish"]}, {"name": "b"}])

    assert (
        parse_claims(json.dumps(as_object).encode()).permissions
        == parse_claims(json.dumps(as_list).encode()).permissions
    )


def test_claims_of_others_are_passed_over() -> None:
    parsed = parse_claims(json.dumps(claims(aud="x", role={"admin": True}, azp=7)).encode())

    assert parsed.user == "alice"
    assert parsed.permissions == ()


def test_null_is_as_good_as_nothing() -> None:
    parsed = parse_claims(json.dumps({"exp": NOW, "sub": None, "channels": None, "info": None, "jti": None}).encode())

    assert (parsed.user, parsed.permissions, parsed.info, parsed.token_id) == ("", (), None, "")


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ([], "token.claims"),
        (b"{", "token.claims"),
        (b"\xff", "token.claims"),
        (b"[" * 5000, "token.claims"),
        ({}, "token.exp"),
        ({"exp": None}, "token.exp"),
        ({"exp": "soon"}, "token.exp"),
        ({"exp": True}, "token.exp"),
        ({"exp": NOW * 1000}, "token.exp"),
        (b'{"exp":1e999}', "token.exp"),
        (b'{"exp":' + b"9" * 400 + b"}", "token.exp"),
        (claims(sub=7), "token.sub"),
        (claims(sub=""), "token.sub"),
        (claims(sub="a\nb"), "token.sub"),
        (claims(sub="x" * 257), "token.sub"),
        (claims(jti="x" * 257), "token.jti"),
        (claims(nbf="now"), "token.nbf"),
        (claims(info="x" * MAX_INFO_BYTES), "token.info"),
        (claims(channels="orders"), "token.channels"),
        (claims(channels=["orders"]), "token.channels[0]"),
        (claims(channels=[{"name": "a"}, {"capabilities": []}]), "token.channels[1]"),
        (claims(channels=[{"name": "a", "capability": []}]), "token.channels[0]"),
        (claims(channels={"a": "subscribe"}), "token.channels['a']"),
        (claims(channels={"a": ["fly"]}), "token.channels['a']"),
        (claims(channels={"a": [1]}), "token.channels['a']"),
        (claims(channels={"a*b": ["subscribe"]}), "token.channels['a*b']"),
        (claims(channels={"": ["subscribe"]}), "token.channels['']"),
        (claims(channels={"a\n": ["subscribe"]}), "token.channels['a\\n']"),
        (claims(channels={"x" * 600: ["subscribe"]}), f"token.channels['{'x' * 40}…']"),
        (claims(channels={f"c{n}": ["subscribe"] for n in range(MAX_PERMISSIONS + 1)}), "token.channels"),
    ],
)
def test_a_wrong_claim_is_named(what: object, field: str) -> None:
    assert refusal(what).field == field


def test_info_is_kept_on_one_line() -> None:
    parsed = parse_claims(b'{"exp": 1, "info": {\n "a" : [1 ,\n 2]}}')

    assert parsed.info == b'{"a":[1,2]}'


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (59, "59 s"), (600, "10 minutes"), (10_000, "2 hours"), (1e6, "11 days")]
)
def test_spans_are_for_people(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_what_is_quoted_can_be_printed() -> None:
    assert quote_short("a\nb") == "'a\\nb'"
    assert len(quote_short("x" * 1000)) < 60

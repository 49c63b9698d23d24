"""The token doctor: every step with its outcome, in the order of the gate, and never the token itself."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.claims import TokenRefused
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.revocations import Revocations
from fanoutcloud.core.rules import DEFAULT_RULE, ChannelRule
from fanoutcloud.core.token_doctor import examine_token, list_abilities
from fanoutcloud.core.tokens import verify_token
from tests.core.signed import NOW, OTHER_SECRET, claims, encode, public_keys, sign, snapshot

STEPS = ["form", "key", "signature", "claims", "realm", "times", "revocation"]


def test_a_good_token_passes_every_step() -> None:
    found = examine_token(sign(claims(channels={"a.*": ["subscribe"]}), kid="17"), snapshot(), now=NOW)

    assert found.holds
    assert [check.name for check in found.checks] == STEPS
    assert found.first_fault is None
    assert found.grant is not None
    assert (found.grant.user, found.grant.key_id) == ("alice", "17")
    assert '"alg": "HS256"' in found.header
    assert '"sub": "alice"' in found.claims


@pytest.mark.parametrize(
    ("token", "failed", "skipped"),
    [
        ("nothing", ["form"], STEPS[1:]),
        (sign(claims(), algorithm="none"), ["key"], ["signature", "realm"]),
        (sign(claims(exp=1), kid="99"), ["key", "times"], ["signature", "realm"]),
        (sign(claims(), secret=OTHER_SECRET), ["signature"], ["realm"]),
        (sign(claims(channels={"a": ["fly"]})), ["claims"], ["realm", "times", "revocation"]),
        (sign(claims(iss="ffffffff", nbf=NOW + 600)), ["realm", "times"], []),
        (sign(claims(jti="t1")), ["revocation"], []),
        (sign(claims(jti="t1", exp=1)), ["times", "revocation"], []),
    ],
)
def test_each_fault_is_found_beside_the_others(token: str, failed: list[str], skipped: list[str]) -> None:
    found = examine_token(token, snapshot(revocations=Revocations(frozenset({"t1"}))), now=NOW)

    assert [check.name for check in found.checks] == STEPS
    assert [check.name for check in found.checks if check.outcome == "failed"] == failed
    assert [check.name for check in found.checks if check.outcome == "skipped"] == skipped
    assert not found.holds
    assert all(check.cure and check.code for check in found.checks if check.outcome == "failed")


def test_blanks_around_a_token_are_forgiven() -> None:
    assert examine_token(f"\n {sign(claims())} \n", snapshot(), now=NOW).holds


_TOKENS = st.one_of(
    st.text(max_size=60),
    st.builds(
        lambda more, secret, kid, algorithm: sign(claims(**more), secret=secret, kid=kid, algorithm=algorithm),
        st.dictionaries(
            st.sampled_from(["exp", "nbf", "iss", "jti", "channels", "sub"]),
            st.sampled_from([None, 1, "0a1b2c3d", "t1", {"a": ["subscribe"]}, NOW + 5]),
        ),
        st.sampled_from([b"s" * 32, OTHER_SECRET]),
        st.sampled_from([None, "17", "18"]),
        st.sampled_from(["HS256", "RS256", "EdDSA", "none"]),
    ),
)


@given(_TOKENS)
def test_doctor_and_gate_never_disagree(token: str) -> None:
    realm = snapshot(public_keys=public_keys("RS256"), revocations=Revocations(frozenset({"t1"})))
    found = examine_token(token, realm, now=NOW)
    try:
        grant = verify_token(token.strip(), realm, now=NOW)
        fault = ""
    except TokenRefused as error:
        grant, fault = None, error.code

    assert found.holds == (grant is not None)
    if found.holds:
        assert found.grant == grant
    else:
        assert found.first_fault is not None
        assert found.first_fault.code == fault


def test_neither_token_nor_signature_is_in_what_is_found() -> None:
    token = sign(claims())
    told = str(asdict(examine_token(token, snapshot(), now=NOW)))

    assert token not in told
    assert token.rpartition(".")[2] not in told


def test_what_is_deeply_nested_is_told_as_unreadable() -> None:
    found = examine_token(f"{encode(b'{')}.{encode(b'[' * 3000)}.", snapshot(), now=NOW)

    assert found.claims == ""


def test_abilities_name_what_decides_them() -> None:
    grant = verify_token(sign(claims(channels={"a.*": ["publish"]})), snapshot(), now=NOW)
    channel = ChannelName("a.1")
    rule = ChannelRule(pattern=parse_pattern("a.*"), access="token")

    without = {one.capability: one for one in list_abilities(grant, DEFAULT_RULE, channel)}
    ruled = {one.capability: one for one in list_abilities(grant, rule, channel)}

    assert all(one.is_allowed for one in without.values())
    assert [name for name, one in ruled.items() if one.is_allowed] == ["publish"]
    assert "a.*" in ruled["publish"].by
    assert "the rule a.*" in ruled["subscribe"].by

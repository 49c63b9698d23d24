"""What is told of a realm's access: which rule holds for a name, and what a token is good for."""

import json

import pytest

from accounts.models import User
from fanoutcloud.core.errors import InvalidRequest
from realms.access import examine, explain_rule
from realms.errors import InvalidTokenClaims, KeyNotFound
from realms.models import ApiKey
from realms.rule_settings import RuleSettings
from realms.services import CreatedRealm, add_rule, add_token_keys, make_token, revoke_user
from tests.core.signed import claims, public_jwk, sign
from tests.factories import make_realm

TOKEN = RuleSettings(access="token")


def test_a_dry_run_tells_which_rule_holds_and_why(created: CreatedRealm) -> None:
    for pattern in ("orders.*", "orders.eu.*", "orders.eu.7", "*"):
        add_rule(realm=created.realm, pattern=pattern, settings=TOKEN)

    exact = explain_rule(created.realm, "orders.eu.7")
    longest = explain_rule(created.realm, "orders.eu.8")
    only = explain_rule(created.realm, "hello")

    assert [str(one.rule.pattern) for one in (exact, longest, only)] == ["orders.eu.7", "orders.eu.*", "*"]
    assert "exactly" in exact.reason
    assert "longest" in longest.reason
    assert "only" in only.reason
    assert [str(rule.pattern) for rule in longest.others] == ["orders.*", "*"]


def test_without_a_rule_that_is_said(created: CreatedRealm) -> None:
    assert "No rule" in explain_rule(created.realm, "hello").reason
    with pytest.raises(InvalidRequest):
        explain_rule(created.realm, "")


def test_a_token_that_is_made_here_holds_here_and_nowhere_else(created: CreatedRealm, charlie: User) -> None:
    add_rule(realm=created.realm, pattern="orders.*", settings=TOKEN)
    token = make_token(realm=created.realm, user="alice", channels={"orders.*": ["subscribe"]}, info={"name": "Alice"})

    report = examine(created.realm, token, channel="orders.7")
    foreign = examine(make_realm(charlie).realm, token)

    assert report.examination.holds
    assert [one.capability for one in report.abilities if one.is_allowed] == ["subscribe"]
    assert not foreign.examination.holds
    assert foreign.examination.first_fault is not None
    assert foreign.examination.first_fault.code == "unknown_key"


def test_the_doctor_knows_revocations_and_public_keys(created: CreatedRealm) -> None:
    token = make_token(realm=created.realm, user="alice", channels={"a": ["*"]})
    revoke_user(realm=created.realm, user="alice")
    add_token_keys(realm=created.realm, document=json.dumps(public_jwk("RS256")), issuer="https://idp.example")
    by_public_key = sign(claims(sub="bob", exp=4e9), algorithm="RS256")

    revoked, foreign = (examine(created.realm, one).examination for one in (token, by_public_key))

    assert revoked.first_fault is not None
    assert revoked.first_fault.code == "token_revoked"
    assert [check.name for check in foreign.checks if check.outcome == "failed"] == ["realm", "times"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"channels": {"a*b": ["subscribe"]}}, "token.channels['a*b']"),
        ({"channels": {"a": ["fly"]}}, "token.channels['a']"),
        ({"channels": {}, "user": "a\nb"}, "token.sub"),
        ({"channels": {}, "lifetime_s": 0}, "lifetime_s"),
        ({"channels": {}, "lifetime_s": 10**9}, "lifetime_s"),
        ({"channels": {}, "info": "x" * 3000}, "token.info"),
        ({"channels": {f"{'x' * 150}{n}": ["subscribe"] for n in range(99)}}, "channels"),
    ],
)
def test_what_no_token_can_say_is_refused(created: CreatedRealm, wanted: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidTokenClaims) as refused:
        make_token(realm=created.realm, **wanted)  # type: ignore[arg-type]

    assert refused.value.field == field


def test_without_a_key_nothing_is_signed(created: CreatedRealm) -> None:
    ApiKey.objects.all().delete()

    with pytest.raises(KeyNotFound):
        make_token(realm=created.realm, channels={})

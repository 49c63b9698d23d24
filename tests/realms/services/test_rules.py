"""Channel rules: added, changed, removed, found again by the delivery plane, never another realm's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from fanoutcloud.core.directory import Rate, Retention
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.rules import DEFAULT_RULE
from realms.errors import InvalidRule, RuleExists, RuleLimitReached, RuleNotFound
from realms.models import RealmRule
from realms.rule_settings import RuleSettings, parse_settings, read_rule, write_settings
from realms.services import CreatedRealm, add_rule, change_rule, remove_rule, rules
from realms.snapshots import find_snapshot
from tests.factories import make_realm

TOKEN = RuleSettings(access="token")


def rule_of(created: CreatedRealm, channel: str) -> Any:
    snapshot = find_snapshot(RealmId(created.realm.pk))
    assert snapshot is not None
    return snapshot.rules.find(ChannelName(channel))


def test_a_rule_reaches_the_delivery_plane(created: CreatedRealm) -> None:
    add_rule(
        realm=created.realm,
        pattern="orders.*",
        settings=RuleSettings(
            access="token",
            history_items=10_000,
            history_age_s=604_800,
            presence=True,
            join_leave=True,
            client_publish=True,
            cache_last_item=True,
            webhook_events=("occupied",),
            item_bytes=500,
            publish_per_s=5,
        ),
    )

    rule = rule_of(created, "orders.7")

    assert (rule.access, rule.retention) == ("token", Retention(items=10_000, age_s=604_800))
    assert rule.presence and rule.join_leave and rule.client_publish and rule.cache_last_item  # noqa: PT018 - all of them
    assert (rule.webhook_events, rule.item_bytes, rule.publish_items) == (("occupied",), 500, Rate(5, 5))
    assert rule_of(created, "hello") is DEFAULT_RULE


def test_half_a_history_takes_the_rest_from_the_realm(created: CreatedRealm, settings: Any) -> None:
    settings.HISTORY_ITEMS, settings.HISTORY_AGE_S = 100, 300.0
    add_rule(realm=created.realm, pattern="a", settings=RuleSettings(history_items=5))

    assert rule_of(created, "a").retention == Retention(items=5, age_s=300.0)


def test_a_rule_is_changed_and_removed(created: CreatedRealm) -> None:
    row = add_rule(realm=created.realm, pattern="a", settings=TOKEN)

    change_rule(realm=created.realm, rule_id=row.pk, pattern="b*", settings=RuleSettings(presence=True))
    assert rule_of(created, "a") is DEFAULT_RULE
    assert rule_of(created, "bc").presence
    remove_rule(realm=created.realm, rule_id=row.pk)

    assert rule_of(created, "bc") is DEFAULT_RULE
    with pytest.raises(RuleNotFound):
        remove_rule(realm=created.realm, rule_id=row.pk)


def test_one_rule_per_pattern(created: CreatedRealm) -> None:
    add_rule(realm=created.realm, pattern="a", settings=TOKEN)
    other = add_rule(realm=created.realm, pattern="a*", settings=TOKEN)

    with pytest.raises(RuleExists):
        add_rule(realm=created.realm, pattern="a", settings=TOKEN)
    with pytest.raises(RuleExists):
        change_rule(realm=created.realm, rule_id=other.pk, pattern="a", settings=TOKEN)


def test_another_realms_rule_can_not_be_reached(created: CreatedRealm, charlie: User) -> None:
    foreign = make_realm(charlie)
    row = add_rule(realm=created.realm, pattern="a", settings=TOKEN)

    with pytest.raises(RuleNotFound):
        change_rule(realm=foreign.realm, rule_id=row.pk, pattern="a", settings=RuleSettings())
    with pytest.raises(RuleNotFound):
        remove_rule(realm=foreign.realm, rule_id=row.pk)
    assert rule_of(foreign, "a") is DEFAULT_RULE
    assert rule_of(created, "a").access == "token"


def test_there_is_a_limit(created: CreatedRealm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_RULES_PER_REALM", 2)
    for name in ("a", "b"):
        add_rule(realm=created.realm, pattern=name, settings=TOKEN)

    with pytest.raises(RuleLimitReached):
        add_rule(realm=created.realm, pattern="c", settings=TOKEN)


@pytest.mark.parametrize("pattern", ["", "a**", "*a", "a*b", "a\n", "x" * 600, "\ud800"])
def test_a_pattern_that_is_none_is_refused(created: CreatedRealm, pattern: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        add_rule(realm=created.realm, pattern=pattern, settings=TOKEN)

    assert refused.value.field == "pattern"
    assert not RealmRule.objects.exists()


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"acces": "token"}, "acces"),
        ({"access": "secret"}, "access"),
        ({"presence": "yes"}, "presence"),
        ({"history_items": -1}, "history_items"),
        ({"history_items": 10_001}, "history_items"),
        ({"history_items": 1.5}, "history_items"),
        ({"history_items": True}, "history_items"),
        ({"history_age_s": 604_801}, "history_age_s"),
        ({"item_bytes": 0}, "item_bytes"),
        ({"item_bytes": 10**30}, "item_bytes"),
        ({"publish_per_s": 0}, "publish_per_s"),
        ({"publish_burst": 5}, "publish_burst"),
        ({"join_leave": True}, "join_leave"),
        ({"cache_last_item": True, "history_items": 0}, "cache_last_item"),
        ({"webhook_events": ["vanished"]}, "webhook_events[0]"),
        ({"webhook_events": ["occupied", "occupied"]}, "webhook_events"),
        ({"webhook_events": "occupied"}, "webhook_events"),
    ],
)
def test_a_wrong_setting_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        parse_settings(document)

    assert refused.value.field == field
    assert refused.value.cure


def test_what_is_as_ever_is_not_written() -> None:
    assert write_settings(RuleSettings()) == {}
    assert parse_settings({}) == RuleSettings()


_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "access": st.sampled_from(["public", "token"]),
        "history_items": st.none() | st.integers(1, 10_000),
        "history_age_s": st.none() | st.integers(1, 604_800),
        "presence": st.just(True),
        "cache_last_item": st.booleans(),
        "client_publish": st.booleans(),
        "item_bytes": st.none() | st.integers(1, 1000),
        "publish_per_s": st.integers(1, 1000),
        "webhook_events": st.sets(st.sampled_from(["occupied", "vacated", "published"])).map(list),
    },
)


@given(_SETTINGS)
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    parsed = parse_settings(document)

    assert parse_settings(write_settings(parsed)) == parsed
    assert read_rule("a*", write_settings(parsed)).access == parsed.access

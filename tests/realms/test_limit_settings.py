"""Limits of one realm: what can be said, and what it comes to."""

from typing import Any

import pytest

from fanoutcloud.core.directory import Rate, RealmLimits
from realms.errors import InvalidRealmLimit
from realms.limit_settings import apply_limits, parse_limits, write_limits

DEFAULTS = RealmLimits(connections=10, channels=20, publish_items=Rate(30, 60), item_bytes=40, egress_bytes=None)


@pytest.mark.parametrize(
    ("document", "changed"),
    [
        ({}, {}),
        ({"connections": 5}, {"connections": 5}),
        ({"connections": 0, "item_bytes": 0}, {"connections": None, "item_bytes": None}),
        ({"publish_items_per_s": 7}, {"publish_items": Rate(7, 14)}),
        ({"publish_items_per_s": 7, "publish_items_burst": 9}, {"publish_items": Rate(7, 9)}),
        ({"publish_items_per_s": 0}, {"publish_items": None}),
        ({"egress_bytes_per_s": 1000}, {"egress_bytes": Rate(1000, 2000)}),
    ],
)
def test_what_is_set_takes_the_place_of_the_installations(document: dict[str, Any], changed: dict[str, Any]) -> None:
    stored = write_limits(parse_limits(document))

    limits = apply_limits(stored, DEFAULTS)

    expected = {name: changed.get(name, getattr(DEFAULTS, name)) for name in DEFAULTS.__slots__}
    assert {name: getattr(limits, name) for name in DEFAULTS.__slots__} == expected


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"connection": 5}, "connection"),
        ({"connections": -1}, "connections"),
        ({"connections": "many"}, "connections"),
        ({"connections": True}, "connections"),
        ({"connections": 1.5}, "connections"),
        ({"item_bytes": 10**9}, "item_bytes"),
        ({"publish_items_burst": 5}, "publish_items_burst"),
        ({"egress_bytes_burst": 5, "egress_bytes_per_s": 0}, "egress_bytes_burst"),
        ({"webhook_log_s": 401 * 86_400}, "webhook_log_s"),
    ],
)
def test_what_can_t_be_meant_is_refused_by_name(document: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRealmLimit) as refused:
        parse_limits(document)

    assert refused.value.field == field
    assert refused.value.cure

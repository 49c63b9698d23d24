"""What can be set in a channel rule: checked, kept as JSON, and read for the delivery plane. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from django.conf import settings as django_settings

from fanoutcloud.core.directory import Rate, Retention
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, WebhookEvent
from realms.errors import InvalidRule

MAX_HISTORY_ITEMS = 10_000
MAX_HISTORY_AGE_S = 7 * 86_400
MAX_ITEM_BYTES = 10_000_000
MAX_RATE = 100_000


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One rule without its pattern. None: as for the realm."""

    access: Literal["public", "token"] = "public"
    history_items: int | None = None
    history_age_s: int | None = None
    presence: bool = False
    join_leave: bool = False
    client_publish: bool = False
    cache_last_item: bool = False
    webhook_events: tuple[WebhookEvent, ...] = ()
    item_bytes: int | None = None
    publish_per_s: int | None = None
    publish_burst: int | None = None  # None: what `publish_per_s` is


def parse_settings(document: Mapping[str, Any]) -> RuleSettings:  # Any: JSON
    """Return the settings of a document.

    Raises:
        InvalidRule: a member is unknown, of another type, or out of range; names it.
    """
    unknown = next((name for name in document if name not in RuleSettings.__struct_fields__), None)
    if unknown is not None:
        known = ", ".join(RuleSettings.__struct_fields__)
        raise InvalidRule("is no setting of a rule", cure=f"use {known}", field=str(unknown)[:80])
    try:
        parsed = msgspec.convert(dict(document), RuleSettings)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$.")
        raise InvalidRule(
            f"can't be used: {problem}", cure="see the documentation of rules", field=place.rstrip("`") or None
        ) from None
    check_settings(parsed)
    return parsed


#: Setting → the least and the most that it can be.
_RANGES = {
    "history_items": (0, MAX_HISTORY_ITEMS),
    "history_age_s": (0, MAX_HISTORY_AGE_S),
    "item_bytes": (1, MAX_ITEM_BYTES),
    "publish_per_s": (1, MAX_RATE),
    "publish_burst": (1, MAX_RATE),
}


def check_settings(rule: RuleSettings) -> None:
    """Check what belongs together.

    Raises:
        InvalidRule: a number is out of range, or a setting needs another one.
    """
    for name, (least, most) in _RANGES.items():
        value = getattr(rule, name)
        if value is not None and not least <= value <= most:
            raise InvalidRule(f"{value:,} is out of range", cure=f"use {least:,} to {most:,}", field=name)
    if rule.join_leave and not rule.presence:
        raise InvalidRule("join and leave events come from presence", cure="set presence, too", field="join_leave")
    if rule.cache_last_item and (rule.history_items == 0 or rule.history_age_s == 0):
        raise InvalidRule(
            "without history there is no last item", cure="keep one item at least", field="cache_last_item"
        )
    if rule.publish_burst is not None and rule.publish_per_s is None:
        raise InvalidRule("is of a rate that is not set", cure="set publish_per_s, too", field="publish_burst")
    if len(set(rule.webhook_events)) != len(rule.webhook_events):
        raise InvalidRule("names an event twice", cure="name each once", field="webhook_events")


def write_settings(rule: RuleSettings) -> dict[str, Any]:  # Any: JSON
    """Return the settings as JSON without those that are as ever."""
    written: dict[str, Any] = msgspec.to_builtins(rule)
    return written


def read_rule(pattern: str, document: Mapping[str, Any]) -> ChannelRule:  # Any: JSON
    """Return a stored rule as the delivery plane has it."""
    rule = msgspec.convert(dict(document), RuleSettings)
    has_history = rule.history_items is not None or rule.history_age_s is not None
    rate = rule.publish_per_s
    return ChannelRule(
        pattern=parse_pattern(pattern),
        access=rule.access,
        retention=_to_retention(rule) if has_history else None,
        presence=rule.presence,
        client_publish=rule.client_publish,
        join_leave=rule.join_leave,
        cache_last_item=rule.cache_last_item,
        webhook_events=rule.webhook_events,
        item_bytes=rule.item_bytes,
        publish_items=None if rate is None else Rate(per_s=rate, burst=rule.publish_burst or rate),
    )


def _to_retention(rule: RuleSettings) -> Retention:
    items, age_s = rule.history_items, rule.history_age_s
    return Retention(
        items=django_settings.HISTORY_ITEMS if items is None else items,
        age_s=django_settings.HISTORY_AGE_S if age_s is None else age_s,
    )

"""Limits that an operator gives one realm in place of the installation's: checked, kept as JSON, applied. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from fanoutcloud.core.directory import Rate, RealmLimits
from realms.errors import InvalidRealmLimit

MAX_COUNT = 100_000_000
MAX_BYTES_PER_S = 100_000_000_000
MAX_ITEM_BYTES = 10_000_000
MAX_LOG_S = 400 * 86_400


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """None: as for every realm. 0: no limit. A rate without its burst may spend two seconds' worth at once."""

    connections: int | None = None
    channels: int | None = None
    publish_items_per_s: int | None = None
    publish_items_burst: int | None = None
    item_bytes: int | None = None
    egress_bytes_per_s: int | None = None
    egress_bytes_burst: int | None = None
    webhook_log_s: int | None = None  # deliveries that are over are kept for so long


#: Limit → the most that it can be.
_MOST = {
    "connections": MAX_COUNT,
    "channels": MAX_COUNT,
    "publish_items_per_s": MAX_COUNT,
    "publish_items_burst": MAX_COUNT,
    "item_bytes": MAX_ITEM_BYTES,
    "egress_bytes_per_s": MAX_BYTES_PER_S,
    "egress_bytes_burst": MAX_BYTES_PER_S,
    "webhook_log_s": MAX_LOG_S,
}


def parse_limits(document: Mapping[str, Any]) -> LimitSettings:  # Any: JSON
    """Return the limits of a document.

    Raises:
        InvalidRealmLimit: a member is unknown, no whole number, or out of range; names it.
    """
    for name, value in document.items():
        if name not in _MOST:
            raise InvalidRealmLimit("is no limit of a realm", cure=f"use {', '.join(_MOST)}", field=str(name)[:80])
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 <= value <= _MOST[name]):
            cure = f"use a whole number from 0 (no limit) to {_MOST[name]:,}"
            raise InvalidRealmLimit(f"can't be {str(value)[:40]}", cure=cure, field=name)
    settings = msgspec.convert(dict(document), LimitSettings)
    for rate, burst in (("publish_items_per_s", "publish_items_burst"), ("egress_bytes_per_s", "egress_bytes_burst")):
        if getattr(settings, burst) is not None and not getattr(settings, rate):
            raise InvalidRealmLimit("is of a rate that is not set", cure=f"set {rate}, too", field=burst)
    return settings


def write_limits(settings: LimitSettings) -> dict[str, Any]:  # Any: JSON
    """Return the limits as JSON, without those that are as for every realm."""
    written: dict[str, Any] = msgspec.to_builtins(settings)
    return written


def apply_limits(document: Mapping[str, Any], defaults: RealmLimits) -> RealmLimits:  # Any: JSON
    """Return what a realm with this stored document may use."""
    if not document:
        return defaults
    own = msgspec.convert(dict(document), LimitSettings)
    changes: dict[str, Any] = {
        name: value or None
        for name in ("connections", "channels", "item_bytes")
        if (value := getattr(own, name)) is not None
    }
    if own.publish_items_per_s is not None:
        changes["publish_items"] = _to_rate(own.publish_items_per_s, own.publish_items_burst)
    if own.egress_bytes_per_s is not None:
        changes["egress_bytes"] = _to_rate(own.egress_bytes_per_s, own.egress_bytes_burst)
    return replace(defaults, **changes)


def find_webhook_log_s(document: Mapping[str, Any]) -> int | None:  # Any: JSON
    """Return for how long deliveries of webhooks are kept; 0: for ever, None: as for every realm."""
    return msgspec.convert(dict(document), LimitSettings).webhook_log_s


def _to_rate(per_s: int, burst: int | None) -> Rate | None:
    return Rate(per_s=per_s, burst=burst or 2 * per_s) if per_s else None

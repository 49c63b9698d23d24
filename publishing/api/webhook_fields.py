"""Fields of bodies that say what an endpoint of webhooks is called with."""

from typing import Any

from rest_framework import serializers

from fanoutcloud.core.webhooks import WANTED_KINDS
from publishing.webhooks.endpoints import MAX_PATTERNS


class PatternsField(serializers.ListField):
    """Channels, by their names or by prefixes; may be left out."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("child", serializers.CharField(max_length=512, trim_whitespace=False))
        options.setdefault(
            "help_text", "Channels: names, prefixes such as `orders.*`, or `*` for all, as it is without."
        )
        super().__init__(min_length=1, max_length=MAX_PATTERNS, required=False, **options)


class KindsField(serializers.ListField):
    """Kinds of events; may be left out."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("child", serializers.ChoiceField(choices=WANTED_KINDS))
        options.setdefault("help_text", "Kinds of events; without, `channel.message`.")
        super().__init__(min_length=1, required=False, **options)


class HeadersField(serializers.DictField):
    """Headers by name; may be left out."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("child", serializers.CharField(allow_blank=True, trim_whitespace=False))
        super().__init__(required=False, **options)

    def to_internal_value(self, data: Any) -> Any:
        """Return them as they came; what can't be sent is refused by the services."""
        if isinstance(data, dict) and all(isinstance(value, str) for value in data.values()):
            return data
        raise serializers.ValidationError('expected {"Name": "value"}', code="wrong_kind")

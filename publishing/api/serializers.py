"""What serializers of the management API share: they name unknown fields rather than pass over them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from publishing.api.paging import DEFAULT_LIMIT, MAX_CURSOR_CHARACTERS, MAX_LIMIT
from realms.models import MAX_LABEL_CHARACTERS


class Fields(serializers.Serializer[Any]):
    """The fields of a body, a query, or an answer."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the fields' values.

        Raises:
            ValidationError: some are wrong, missing, or unknown; all of them are named.
        """
        errors: dict[str, Any] = {}
        value: Any = {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail) if isinstance(error.detail, dict) else {"body": error.detail}
        if isinstance(data, Mapping):
            writable = [name for name, field in self.fields.items() if not field.read_only]
            for name in data:
                if name not in writable:
                    known = ", ".join(writable) or "none"
                    errors[str(name)[:100]] = [
                        ErrorDetail(f"there is no such field; known are: {known}", code="unknown")
                    ]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class LabelField(serializers.CharField):
    """A label: one line for people, which may be empty."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        super().__init__(max_length=MAX_LABEL_CHARACTERS, allow_blank=True, **options)


class PageQuery(Fields):
    """Which part of a list."""

    cursor = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=MAX_CURSOR_CHARACTERS,
        help_text="`next` of the page before; without, the first page.",
    )
    limit = serializers.IntegerField(
        required=False, default=DEFAULT_LIMIT, min_value=1, max_value=MAX_LIMIT, help_text="How many at most."
    )


class Nothing(Fields):
    """No fields."""


class ProblemEntry(Fields):
    """One thing that is wrong with a request."""

    field = serializers.CharField(help_text="The place, such as `items[0].channel`.")
    code = serializers.CharField()
    message = serializers.CharField()


class Problem(Fields):
    """Why a request failed (RFC 9457)."""

    type = serializers.URLField(help_text="Where this kind of problem is documented.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened, for people.")
    code = serializers.CharField(help_text="What happened, for programs; stable.")
    cure = serializers.CharField(required=False, help_text="What to do about it.")
    field = serializers.CharField(required=False, help_text="The place of the fault in the request.")
    errors = ProblemEntry(  # type: ignore[assignment]  # a declared field
        many=True, required=False, help_text="Each faulty field, where it is about fields."
    )
    limit = serializers.CharField(required=False, help_text="The limit that was reached.")
    retry_after_s = serializers.IntegerField(required=False)


def instant(moment: datetime | None) -> str | None:
    """Return the time as in every answer: RFC 3339, UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

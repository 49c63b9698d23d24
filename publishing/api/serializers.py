"""What serializers of the management API share: they name unknown fields rather than pass over them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from publishing.api.paging import DEFAULT_LIMIT, MAX_CURSOR_CHARACTERS, MAX_LIMIT
from realms.models import MAX_LABEL_CHARACTERS

#: Kinds of fields, and what JSON has to bring for them: DRF would take `7` for text and `"7"` for a number.
_JSON_KINDS: list[tuple[type[serializers.Field[Any, Any, Any, Any]], type, str]] = [
    (serializers.BooleanField, bool, "true or false"),
    (serializers.IntegerField, int, "a whole number"),
    (serializers.CharField, str, "text"),
    (serializers.DateTimeField, str, "text"),
    (serializers.ChoiceField, str, "text"),
]


class Fields(serializers.Serializer[Any]):
    """The fields of a body, a query, or an answer."""

    #: Whether the values come as text: they do in a query.
    is_text = False

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
            errors |= {} if self.is_text else self._wrong_kinds(data)
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

    def _wrong_kinds(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an error for each field whose value is of another kind than JSON has for it."""
        errors = {}
        for name, field in self.fields.items():
            value = data.get(name)
            if value is None:
                continue
            items = value if isinstance(field, serializers.ListField) and isinstance(value, list) else [value]
            inner = field.child if isinstance(field, serializers.ListField) else field
            expected = next((row for row in _JSON_KINDS if isinstance(inner, row[0])), None)
            if expected is not None and any(not _is_kind(item, expected[1]) for item in items):
                errors[name] = [ErrorDetail(f"expected {expected[2]}", code="wrong_kind")]
        return errors


def _is_kind(value: Any, kind: type) -> bool:
    """Return whether a JSON value is of the kind; 7.0 is a whole number, as JSON Schema has it, and true is none."""
    return type(value) is kind or (kind is int and type(value) is float and value.is_integer())


@extend_schema_field({"type": "string", "maxLength": MAX_LABEL_CHARACTERS, "format": "label"})
class LabelField(serializers.CharField):
    """A label: one line for people, which may be empty."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        super().__init__(max_length=MAX_LABEL_CHARACTERS, allow_blank=True, **options)


@extend_schema_field({"type": "string", "maxLength": MAX_CURSOR_CHARACTERS, "format": "cursor"})
class CursorField(serializers.CharField):
    """Where a page begins."""


class PageQuery(Fields):
    """Which part of a list."""

    is_text = True

    cursor = CursorField(
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

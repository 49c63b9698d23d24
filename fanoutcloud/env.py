"""Typed readers of environment variables.

Each takes a name and a default, and raises `BadSetting`: one sentence that names the variable, its value and
what was expected. A secret's value is never repeated. An empty variable counts as one that is not set.
"""

import builtins
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from django.core.exceptions import ImproperlyConfigured

# The readers are named after the types they return; inside the class those names are the readers.
Text: TypeAlias = str
Truth: TypeAlias = bool
Whole: TypeAlias = int

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SECONDS_PER_UNIT = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES_PER_UNIT = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_AMOUNT = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([A-Za-z]*)\Z")


class BadSetting(ImproperlyConfigured):
    """An environment variable can't be used as it is."""


class Environment:
    """Reads settings out of `variables`, by default those of this process."""

    def __init__(self, variables: Mapping[Text, Text] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def is_set(self, name: Text) -> Truth:
        """Whether `name`, or `NAME_FILE` for it, has a value."""
        return Truth(self._find(name) or self._find(f"{name}_FILE"))

    def str(self, name: Text, default: Text = "") -> Text:
        """Return the text without the blanks around it."""
        return self._find(name) or default

    def choice(self, name: Text, default: Text, choices: tuple[Text, ...]) -> Text:
        """Return one of `choices`."""
        value = self.str(name, default)
        if value not in choices:
            raise _bad(name, value, "one of " + ", ".join(choices))
        return value

    def bool(self, name: Text, *, default: Truth) -> Truth:
        """Return the truth that the text claims: `1 true yes on` or `0 false no off`."""
        value = self._find(name)
        if not value:
            return default
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
        raise _bad(name, value, "true or false")

    def int(self, name: Text, default: Whole, *, at_least: Whole = 0, at_most: Whole | None = None) -> Whole:
        """Return a whole number within the bounds; `1_000` and `1,000` are both a thousand."""
        value = self._find(name)
        if not value:
            return default
        bounds = f"a whole number of at least {at_least}" + (f" and at most {at_most}" if at_most is not None else "")
        try:
            number = Whole(value.replace(",", ""))
        except ValueError:
            raise _bad(name, value, bounds) from None
        if number < at_least or (at_most is not None and number > at_most):
            raise _bad(name, value, bounds)
        return number

    def seconds(self, name: Text, default: float) -> float:
        """Return a length of time: `30`, `30s`, `250ms`, `5m`, `2h`, `1d`."""
        value = self._find(name)
        expected = "a length of time such as 30, 30s, 250ms, 5m or 2h"
        return self._amount(name, value, _SECONDS_PER_UNIT, expected) if value else default

    def bytes(self, name: Text, default: Whole) -> Whole:
        """Return a size: `1000000`, `64kB`, `1MiB`."""
        value = self._find(name)
        expected = "a size such as 1000000, 64kB or 1MiB"
        return Whole(self._amount(name, value, _BYTES_PER_UNIT, expected)) if value else default

    def list(self, name: Text, default: tuple[Text, ...] = ()) -> builtins.list[Text]:
        """Return the texts between the commas; empty ones are dropped."""
        value = self._find(name)
        return [part.strip() for part in value.split(",") if part.strip()] if value else builtins.list(default)

    def secret(self, name: Text, default: Text = "") -> Text:
        """Return the secret in `NAME`, or in the file that `NAME_FILE` names; setting both is an error."""
        value, file_name = self._find(name), self._find(f"{name}_FILE")
        if value and file_name:
            raise BadSetting(f"{name} and {name}_FILE are both set; keep one of them")
        if not file_name:
            return value or default
        try:
            content = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise _bad(f"{name}_FILE", file_name, "a readable text file that holds the secret") from None
        if not content:
            raise _bad(f"{name}_FILE", file_name, "a file that is not empty")
        return content

    def _find(self, name: Text) -> Text | None:
        return self._variables.get(name, "").strip() or None

    @staticmethod
    def _amount(name: Text, value: Text, units: Mapping[Text, float], expected: Text) -> float:
        match = _AMOUNT.match(value)
        if match is None or match[2].lower() not in units:
            raise _bad(name, value, expected)
        return float(match[1].replace(",", "").replace("_", "")) * units[match[2].lower()]


def _bad(name: str, value: str, expected: str) -> BadSetting:
    return BadSetting(f"{name} is {value!r}; expected {expected}")

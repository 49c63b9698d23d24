"""What services refuse, as pages tell it: worded for people, at the field of the form that it is about."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django import forms

from fanoutcloud.core.errors import FanoutError


def sentence(error: FanoutError, *, begins: bool = True) -> str:
    """Word problem and cure for the page; without `begins`, to stand behind other words."""
    message = _begun(error.message) if begins else error.message
    cure = f" {_begun(error.cure)}." if error.cure else ""
    return f"{message}.{cure}"


@contextmanager
def refusals_shown(form: forms.Form, *, at: str | None = None) -> Iterator[None]:
    """Have `form` show what the block is refused, and go on behind the block.

    It is shown at the field that the error names (`patterns[3]` is in `patterns`), else at the field `at`, else above
    the form.
    """
    try:
        yield
    except FanoutError as error:
        named = re.split(r"[.[]", error.field or "")[0]
        form.add_error(named if named in form.fields else at, sentence(error))


def _begun(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"

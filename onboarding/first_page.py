"""The style sheets of the first page, within it: a stranger's phone then shows it a round trip earlier.

Other pages ask for theirs, which come out of the cache from the second page on.
"""

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

_SHEETS = ("css/bundles/common.css", "css/bundles/first_page.css")
_REFERENCE = re.compile(r"url\(\"(?:\.\./)+([^\"]+)\"\)")


def read_first_sheet() -> SafeString:
    """Return the text of a `<style>`; what it refers to is named as seen from any page."""
    return _read() if settings.DEBUG else _read_once()


def _read() -> SafeString:
    text = "\n".join(Path(str(finders.find(name))).read_text() for name in _SHEETS)
    return mark_safe(_REFERENCE.sub(lambda found: f'url("{static(found[1])}")', text))  # noqa: S308  # our own files


_read_once = cache(_read)

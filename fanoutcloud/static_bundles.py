"""Style sheets and scripts that pages ask for together, put together: each request costs a phone a round trip.

A finder beside Django's own, so that `collectstatic`, `runserver` and tests see bundles as files among others. They are
made anew in `DATA_DIR/bundles` whenever somebody looks for them and they are not what their parts are now.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage

from fanoutcloud.page_scripts import join_modules

#: In the order in which they stand in a page, by what they are called there. They lie as deep as parts with `url()` do.
STYLE_SHEETS = {
    "css/bundles/common.css": (
        "css/tokens.css", "css/base.css", "css/components/shell.css", "css/components/button.css",
        "css/components/form.css", "css/components/card.css", "css/components/code.css", "css/components/status.css",
        "css/components/notice.css",
    ),
    "css/bundles/first_page.css": (
        "css/components/items.css", "css/components/phone.css", "css/pages/landing.css", "css/pages/sandbox.css",
    ),
}  # fmt: skip
#: The modules that a page runs, by what it asks for; what these import comes with them.
SCRIPTS = {
    **{
        f"js/bundles/{name}.js": (name,)
        for name in (
            "access", "app_start", "connections", "console", "docs", "quick_start", "site", "subscriber_page",
            "webhook_start", "why",
        )
    },
    "js/bundles/first_page.js": ("site", "landing"),
}  # fmt: skip
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NEEDLESS_SPACE = re.compile(r"\n\s+")


class BundleFinder(BaseFinder):
    """Finds the bundles."""

    def __init__(self, app_names: Iterable[str] | None = None, *args: object, **options: object) -> None:
        self._storage = FileSystemStorage(location=settings.DATA_DIR / "bundles")

    def check(self, **options: object) -> list[CheckMessage]:
        """Nothing can be set wrongly."""
        return []

    def find(self, path: str, find_all: bool = False, **options: object) -> str | list[str]:  # type: ignore[override]  # noqa: FBT001, FBT002  # Django's signature
        """Return where a bundle is; nothing for any other name."""
        found = [self._make(path)] if path in STYLE_SHEETS or path in SCRIPTS else []
        return found if find_all or options.get("all") else next(iter(found), [])

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        """Yield every bundle."""
        for name in (*STYLE_SHEETS, *SCRIPTS):
            if not matches_patterns(name, list(ignore_patterns or ())):
                self._make(name)
                yield name, self._storage

    def _make(self, name: str) -> str:
        text = _join_sheets(STYLE_SHEETS[name]) if name in STYLE_SHEETS else join_modules(SCRIPTS[name], _read_module)
        path = Path(self._storage.path(name))
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(path)
        return str(path)


def _join_sheets(parts: Iterable[str]) -> str:
    """Return the sheets as one, without comments and indentation."""
    text = "\n".join((_source() / part).read_text() for part in parts)
    return _NEEDLESS_SPACE.sub("\n", _COMMENT.sub("", text)).lstrip()


def _read_module(name: str) -> str:
    return (_source() / "js" / f"{name}.js").read_text()


def _source() -> Path:
    return Path(settings.BASE_DIR) / "static"

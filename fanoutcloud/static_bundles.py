"""Style sheets that pages ask for together, put together: each request costs a phone a round trip.

A finder beside Django's own, so that `collectstatic`, `runserver` and tests see bundles as files among others. They are
made anew in `DATA_DIR/bundles` whenever somebody looks for them and they are not what their parts are now.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage

#: In the order in which they stand in a page, by what they are called there. They lie as deep as parts with `url()` do.
BUNDLES = {
    "css/bundles/common.css": (
        "css/tokens.css", "css/base.css", "css/components/shell.css", "css/components/button.css",
        "css/components/form.css", "css/components/card.css", "css/components/code.css", "css/components/status.css",
        "css/components/notice.css",
    ),
    "css/bundles/first_page.css": (
        "css/components/items.css", "css/components/phone.css", "css/pages/landing.css", "css/pages/sandbox.css",
    ),
}  # fmt: skip


class BundleFinder(BaseFinder):
    """Finds the bundles."""

    def __init__(self, app_names: Iterable[str] | None = None, *args: object, **options: object) -> None:
        self._storage = FileSystemStorage(location=settings.DATA_DIR / "bundles")

    def check(self, **options: object) -> list[CheckMessage]:
        """Nothing can be set wrongly."""
        return []

    def find(self, path: str, find_all: bool = False, **options: object) -> str | list[str]:  # type: ignore[override]  # noqa: FBT001, FBT002  # Django's signature
        """Return where a bundle is; nothing for any other name."""
        found = [self._make(path)] if path in BUNDLES else []
        return found if find_all or options.get("all") else next(iter(found), [])

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        """Yield every bundle."""
        for name in BUNDLES:
            if not matches_patterns(name, list(ignore_patterns or ())):
                self._make(name)
                yield name, self._storage

    def _make(self, name: str) -> str:
        text = "\n".join((_source() / part).read_text() for part in BUNDLES[name])
        path = Path(self._storage.path(name))
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(path)
        return str(path)


def _source() -> Path:
    return Path(settings.BASE_DIR) / "static"

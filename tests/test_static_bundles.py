"""Style sheets put together: nothing of a part is lost, and no part is older than its file."""

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from pytest_django.fixtures import Settings

from fanoutcloud.static_bundles import BUNDLES, BundleFinder

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_has_its_parts_in_their_order(name: str) -> None:
    found = finders.find(name)
    assert isinstance(found, str)

    assert Path(found).read_text() == "\n".join((ROOT / "static" / part).read_text() for part in BUNDLES[name])
    assert name in {path for path, _ in BundleFinder().list([])}
    assert finders.find("css/bundles/none.css") is None


def test_what_parts_refer_to_is_where_the_bundle_looks_for_it() -> None:
    for name, parts in BUNDLES.items():
        for part in parts:
            assert "url(" not in (ROOT / "static" / part).read_text() or part.count("/") == name.count("/"), part


def test_a_part_that_changes_changes_its_bundle(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR, settings.DATA_DIR = tmp_path, tmp_path / "data"
    for parts in BUNDLES.values():
        for part in parts:
            path = tmp_path / "static" / part
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"/* {part} */")
    name, parts = next(iter(BUNDLES.items()))
    finder = BundleFinder()
    before = Path(str(finder.find(name))).read_text()
    (tmp_path / "static" / parts[-1]).write_text("/* new */")

    assert before == "\n".join(f"/* {part} */" for part in parts)
    assert Path(str(finder.find(name))).read_text().endswith("/* new */")


def test_ignored_bundles_are_not_listed() -> None:
    assert list(BundleFinder().list(["css/bundles/*"])) == []

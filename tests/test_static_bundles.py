"""Sheets and scripts put together: nothing of a part is lost, and no part is older than its file."""

import re
import subprocess
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from pytest_django.fixtures import Settings

from fanoutcloud.static_bundles import SCRIPTS, STYLE_SHEETS, BundleFinder

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", STYLE_SHEETS)
def test_a_sheet_has_the_rules_of_its_parts_in_their_order(name: str) -> None:
    found = finders.find(name)
    assert isinstance(found, str)

    text = "\n".join((ROOT / "static" / part).read_text() for part in STYLE_SHEETS[name])
    rules = re.sub(r"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/", " ", text)
    assert Path(found).read_text().split() == rules.split()
    assert name in {path for path, _ in BundleFinder().list([])}
    assert finders.find("css/bundles/none.css") is None


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_understood_by_a_browser_of_modules_and_imports_nothing(name: str, tmp_path: Path) -> None:
    found = finders.find(name)
    assert isinstance(found, str)
    module = tmp_path / "bundle.mjs"
    module.write_text(Path(found).read_text())

    checked = subprocess.run(["node", "--check", module], capture_output=True, text=True, timeout=60)

    assert checked.returncode == 0, checked.stderr
    assert not re.search(r"\bimport\b", module.read_text())
    assert name in {path for path, _ in BundleFinder().list([])}


def test_no_page_asks_for_a_module_that_asks_for_others() -> None:
    """Each would cost a round trip more."""
    importing = {path.name for path in (ROOT / "static/js").glob("*.js") if "\nimport " in path.read_text()}
    asked = {
        name
        for page in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r"{% static 'js/([\w.]+)' %}", page.read_text())
    }

    assert asked & importing == set()


def test_what_parts_refer_to_is_where_the_bundle_looks_for_it() -> None:
    for name, parts in STYLE_SHEETS.items():
        for part in parts:
            assert "url(" not in (ROOT / "static" / part).read_text() or part.count("/") == name.count("/"), part


def test_a_part_that_changes_changes_its_bundle(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR, settings.DATA_DIR = tmp_path, tmp_path / "data"
    for parts in STYLE_SHEETS.values():
        for part in parts:
            path = tmp_path / "static" / part
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f".of{{--part: {part}}}")
    name, parts = next(iter(STYLE_SHEETS.items()))
    finder = BundleFinder()
    before = Path(str(finder.find(name))).read_text()
    (tmp_path / "static" / parts[-1]).write_text(".new{}")

    assert before == "\n".join(f".of{{--part: {part}}}" for part in parts)
    assert Path(str(finder.find(name))).read_text().endswith(".new{}")


def test_ignored_bundles_are_not_listed() -> None:
    assert list(BundleFinder().list(["css/bundles/*", "js/bundles/*"])) == []

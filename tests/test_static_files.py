"""Static files: names that carry a hash, also where our modules import each other; served by the process itself."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import Client
from pytest_django.fixtures import Settings

from tests import settings as test_settings


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Client:
    """A browser before a process whose static files have been collected."""
    settings.STATIC_ROOT = tmp_path
    hashed = {"BACKEND": "fanoutcloud.static_files.HashedStaticFilesStorage"}
    settings.STORAGES = test_settings.STORAGES | {"staticfiles": hashed}
    call_command("collectstatic", interactive=False, verbosity=0)
    return Client()


def test_a_hashed_file_is_served_to_be_kept_and_not_sent_twice(served: Client):
    url = staticfiles_storage.url("css/base.css")

    first = served.get(url)
    second = served.get(url, HTTP_IF_MODIFIED_SINCE=first["Last-Modified"])

    assert re.fullmatch(r"/static/css/base\.[0-9a-f]{12}\.css", url)
    assert first.content
    assert first["Content-Type"].startswith("text/css")
    assert "immutable" in first["Cache-Control"]
    assert (second.status_code, second.content) == (304, b"")


def test_every_import_between_our_modules_names_a_file_that_is_served(served: Client, tmp_path: Path):
    imports = {
        f"/static/js/{name}"
        for module in (tmp_path / "js").glob("*.js")
        for name in re.findall(r'from\s*"\./([^"]+)"', module.read_text())
        if re.search(r"\.[0-9a-f]{12}\.js$", module.name)
    }

    assert imports
    assert all(re.search(r"\.[0-9a-f]{12}\.js$", url) for url in imports)
    assert {served.get(url).status_code for url in imports} == {200}

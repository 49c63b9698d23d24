"""Each program of the quick start, run as it stands against the running product."""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from onboarding.snippets import build_snippets
from tests.servers.product import Product, ProductRealm

#: Slug → what it is saved as, and how it is run there.
RUNNERS = {
    "curl": ("publish.sh", ["bash", "publish.sh"]),
    "python": ("publish.py", ["python3", "publish.py"]),
    "javascript": ("publish.js", ["node", "publish.js"]),
    "node": ("publish.cjs", ["node", "publish.cjs"]),
    "php": ("publish.php", ["php", "publish.php"]),
    "ruby": ("publish.rb", ["ruby", "publish.rb"]),
    "go": ("publish.go", ["go", "run", "publish.go"]),
    "java": ("Publish.java", ["java", "Publish.java"]),
}
#: A compiler on a busy machine.
PATIENCE_S = 90
#: What a careless quoting would read as something else.
TEXT = 'It\'s "{language}" for $5 #{{now}} \\ <é>'


@pytest.fixture(scope="module")
def realm(product: Product) -> ProductRealm:
    return product.create_realm()


def test_every_language_of_the_quick_start_is_run():
    snippets = build_snippets(realm="0a1b2c3d", key="a2V5", url="http://localhost/", channel="hello")

    assert [snippet.slug for snippet in snippets] == list(RUNNERS)


@pytest.mark.parametrize("language", RUNNERS)
def test_a_snippet_publishes_as_it_stands(product: Product, realm: ProductRealm, tmp_path: Path, language: str):
    name, command = RUNNERS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    snippets = build_snippets(
        realm=realm.realm, key=realm.key, url=f"{realm.api}/publish/", channel=language, text=TEXT
    )
    snippet = next(one for one in snippets if one.slug == language)
    (tmp_path / name).write_text(snippet.text)

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"GOCACHE": str(tmp_path / "go"), "GOFLAGS": "-mod=mod", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )

    assert "Published" in done.stdout, done.stdout + done.stderr
    history = httpx.get(
        f"{product.url}/api/v1/realms/{realm.realm}/history", params={"channel": language}, auth=realm.auth
    )
    assert [item["data"] for item in history.json()["items"]] == [{"text": TEXT.format(language=snippet.name)}]

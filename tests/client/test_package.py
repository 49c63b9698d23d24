"""The package as it is handed out: what it holds, and that it works where nothing else is installed."""

import subprocess
import zipfile

import pytest

from tests.client.conftest import Fanout, Installed
from tests.servers.product import Product, ProductRealm


def run_python(installed: Installed, code: str, *words: str) -> str:
    done = subprocess.run([installed.python, "-I", "-c", code, *words], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_is_typed_and_holds_nothing_but_itself(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()

    assert "fanoutcloud_client/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"fanoutcloud_client"}


def test_it_needs_neither_django_nor_the_server(installed: Installed) -> None:
    code = "import fanoutcloud_client.cli.main, sys; print(sorted({name.split('.')[0] for name in sys.modules}))"

    loaded = run_python(installed, code)

    assert "'fanoutcloud_client'" in loaded
    for name in ("django", "fanoutcloud'", "realms", "msgspec"):
        assert name not in loaded


def test_it_publishes_from_an_environment_of_its_own(
    installed: Installed, product: Product, realm: ProductRealm, fanout: Fanout
) -> None:
    code = (
        "import sys; from fanoutcloud_client import Fanout\n"
        "with Fanout(*sys.argv[1:3], key=sys.argv[3]) as fanout: fanout.publish('packed', [1])"
    )

    run_python(installed, code, product.url, realm.realm, realm.key)

    assert [row["data"] for row in fanout("history", "packed", "--json").rows] == [[1]]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_it(fanout: Fanout, shell: str) -> None:
    done = fanout("completion", shell)

    assert (done.status, done.errors) == (0, "")
    assert "_FANOUT_COMPLETE" in done.output

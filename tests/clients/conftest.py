"""Fixtures of the client suites: the product, a realm in it, and programs as customers write them."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import chromium
from tests.servers.listening import Listener, listen
from tests.servers.node import node_packages
from tests.servers.product import Product, ProductRealm, product_of_the_folder

__all__ = ["chromium", "node_packages", "product_of_the_folder"]

PROGRAM_TIMEOUT_S = 30.0

#: Runs a program of a customer, and returns what it printed. `realm` and `channel` are set in it.
Run = Callable[[str], list[Any]]

_PYTHON_SETTINGS = """
import json, os
realm = json.loads(os.environ["TEST_REALM"])
channel = os.environ["TEST_CHANNEL"]
def tell(*values):
    print(json.dumps(values), flush=True)
"""


_NODE_SETTINGS = """
const realm = JSON.parse(process.env.TEST_REALM);
const channel = process.env.TEST_CHANNEL;
const tell = (...values) => console.log(JSON.stringify(values));
(async () => {
"""


@pytest.fixture(scope="module")
def realm(product: Product) -> ProductRealm:
    return product.create_realm()


@pytest.fixture
def channel() -> str:
    """The name of a channel that no other test uses."""
    return f"channel-{secrets.token_hex(4)}"


@pytest.fixture
def listener(realm: ProductRealm, channel: str) -> Iterator[Listener]:
    """Somebody who listens to the test's channel."""
    with listen(realm.site, channel) as listener:
        yield listener


@pytest.fixture
def run(product: Product, realm: ProductRealm, channel: str) -> Run:
    """Run a Python program in a process of its own, which ends as programs do. What it tells is returned.

    `http://api.fanout.io` is reached through the product as a proxy (fanout-cloud-api.md §15).
    """
    environment = _environment(realm, channel) | {"http_proxy": product.url, "no_proxy": "localhost,127.0.0.1"}
    return lambda text: _run([sys.executable, "-c", _PYTHON_SETTINGS + text], environment)


@pytest.fixture
def run_node(node_packages: Path, realm: ProductRealm, channel: str) -> Run:
    """Run a JavaScript program, which may await and ends when nothing is left to do. What it tells is returned.

    Some libraries are old: what Node.js itself finds outdated in them is not our concern.
    """
    return lambda text: run_node_program(text, realm, channel, folder=node_packages)


def run_node_program(text: str, realm: ProductRealm, channel: str, *, folder: Path) -> list[Any]:
    """Run it before any installation; see `run_node`."""
    command = ["node", "--no-deprecation", "-e", _NODE_SETTINGS + text + "\n})();"]
    return _run(command, _environment(realm, channel), folder=folder)


def _environment(realm: ProductRealm, channel: str) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return environment | {"TEST_REALM": json.dumps(asdict(realm)), "TEST_CHANNEL": channel}


def _run(command: list[str], environment: dict[str, str], *, folder: Path | None = None) -> list[Any]:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]

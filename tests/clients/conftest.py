"""Fixtures of the client suites: the product, a realm in it, and programs as customers write them."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from tests.servers.listening import Listener, listen
from tests.servers.product import Product, ProductRealm, product

__all__ = ["product"]

PROGRAM_TIMEOUT_S = 30.0

#: Runs a program of a customer, and returns what it printed. `realm` and `channel` are set in it.
Run = Callable[[str], list[Any]]

_SETTINGS = """
import json, os
realm = json.loads(os.environ["TEST_REALM"])
channel = os.environ["TEST_CHANNEL"]
def tell(*values):
    print(json.dumps(values), flush=True)
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
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"TEST_REALM": json.dumps(asdict(realm)), "TEST_CHANNEL": channel, "http_proxy": product.url}
    environment |= {"no_proxy": "localhost,127.0.0.1"}

    def run_program(text: str) -> list[Any]:
        done = subprocess.run(
            [sys.executable, "-c", _SETTINGS + text],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_S,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run_program

"""The README's example, and those of docs/howto that say what they print; run as they stand."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.servers.product import Product, ProductRealm

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "fanoutcloud" / "client"
PAGES = (
    "publish-items",
    "subscribe-to-channels",
    "resume",
    "see-who-is-there",
    "read-history",
    "make-tokens",
    "verify-webhooks",
    "command-line",
)
_BLOCK = re.compile(r"^```(console|python|javascript)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTS = re.compile(r"^(?:#|//) → (.*)$", re.MULTILINE)
DEADLINE_S = 60.0
#: What the pages say of the realm: `private.` needs a token, presence is counted in rooms.
_RULES = {"private.*": {"access": "token", "client_publish": True}, "room.*": {"presence": True, "join_leave": True}}
_MAKE_RULES = """
from realms.models import Realm
from realms.rule_settings import parse_settings
from realms.services import add_rule
for realm in Realm.objects.filter(pk__in=json.loads(sys.argv[1])):
    for pattern, document in json.loads(sys.argv[2]).items():
        add_rule(realm=realm, pattern=pattern, settings=parse_settings(document))
"""


class Example(NamedTuple):
    """One block: its language and its text."""

    kind: str
    text: str


def examples() -> list[Any]:
    found = []
    for page in PAGES:
        text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
        for match in _BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.append(pytest.param(Example(match[1], match[2]), id=f"{page}:{line}"))
    return found


@pytest.fixture(scope="module")
def unused_realms(product: Product) -> list[ProductRealm]:
    realms = product.create_realms(*["alice@example.com"] * len(examples()))
    product.run_python(_MAKE_RULES, json.dumps([realm.realm for realm in realms]), json.dumps(_RULES))
    return realms


@pytest.fixture
def realm(unused_realms: list[ProductRealm]) -> ProductRealm:
    """A realm for each example: their channels have the same names."""
    return unused_realms.pop()


@pytest.fixture
def environment(product: Product, realm: ProductRealm, tmp_path: Path) -> dict[str, str]:
    """What the pages say is set; `fanout` is found as where the package is installed."""
    command = tmp_path / "bin" / "fanout"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom fanoutcloud_client.cli.main import main\nmain()\n")
    command.chmod(0o755)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FANOUT_")}
    return ours | {
        "FANOUT_URL": product.url,
        "FANOUT_REALM": realm.realm,
        "FANOUT_KEY": realm.key,
        "FANOUT_CONFIG": str(tmp_path / "config.json"),
        "SITE": realm.site,
        "PATH": f"{command.parent}:{ours['PATH']}",
        "PYTHONPATH": str(CLIENT),
        "NO_PROXY": "localhost",
    }


@contextmanager
def something_happens(realm: ProductRealm) -> Iterator[None]:
    """Have the door opened again and again, as whoever subscribes waits for."""
    is_over = threading.Event()

    def publish() -> None:
        with httpx.Client(auth=realm.auth, trust_env=False, timeout=DEADLINE_S) as http:
            while not is_over.wait(0.2):
                items = [{"channel": "door", "json-object": {"open": True}}]
                http.post(f"{realm.api}/publish/", json={"items": items}).raise_for_status()

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        yield
    finally:
        is_over.set()
        publisher.join()


def matches(expected: str, actual: str) -> bool:
    """Compare a line, where `…` stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), actual) is not None


@pytest.mark.parametrize("example", examples())
def test_an_example_prints_what_the_page_says(
    example: Example, realm: ProductRealm, environment: dict[str, str], tmp_path: Path
) -> None:
    if example.kind == "console":
        lines = example.text.splitlines()
        command = "\n".join(line[2:] for line in lines if line.startswith("$ ")).replace("curl ", "curl -sS ")
        words = ["bash", "-c", f"{{ {command.replace(chr(10), '; echo; ')}; }}"]
        expected = [line for line in lines if not line.startswith("$ ")]
    else:
        expected = _PRINTS.findall(example.text)
        name = "example.py" if example.kind == "python" else "example.mjs"
        (tmp_path / name).write_text(example.text)
        if "./fanout.js" in example.text:
            (tmp_path / "fanout.js").write_bytes(httpx.get(f"{realm.site}/fanout/fanout.js", trust_env=False).content)
            (tmp_path / "package.json").write_text('{"type":"module"}')
        words = [sys.executable if example.kind == "python" else "node", name]
    waits = "subscribe" in example.text or "poll" in example.text or "for await" in example.text
    with something_happens(realm) if waits and "door" in example.text else _nothing():
        done = subprocess.run(
            words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )

    printed = [line for line in done.stdout.splitlines() if line]
    assert len(printed) == len(expected), (printed, done.stderr)
    assert [(line, wanted) for line, wanted in zip(printed, expected, strict=True) if not matches(wanted, line)] == []
    assert "Traceback" not in done.stderr


def test_the_readmes_example_publishes_and_receives(product: Product) -> None:
    example = re.search(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert example is not None
    script = example[1].replace(".venv/bin/python", sys.executable) + "sleep 1; kill $!\n"

    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=ROOT,
        env=product.environment | {"NO_PROXY": "localhost"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )

    assert "Published" in done.stdout
    received = [json.loads(line) for line in done.stdout.splitlines() if '"item"' in line]
    assert [one["data"] for one in received] == [{"text": "hi"}]


@contextmanager
def _nothing() -> Iterator[None]:
    yield

"""The examples of docs/api, run as they stand against the product."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from tests.servers.product import Product, ProductRealm

API_DOCS = Path(__file__).resolve().parents[2] / "docs" / "api"
_BLOCK = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEADLINE_S = 10.0


class Example(NamedTuple):
    """One fenced block: its kind, what its info string adds, its lines."""

    kind: str
    info: str
    lines: list[str]


@pytest.fixture(scope="module")
def unused_realms(product: Product) -> list[ProductRealm]:
    return product.create_realms(*["alice@example.com"] * len(_examples("console", "transcript")))


@pytest.fixture
def realm(unused_realms: list[ProductRealm]) -> ProductRealm:
    """A realm for each example: their channels have the same names."""
    return unused_realms.pop()


def _examples(*kinds: str) -> list[Any]:
    found = []
    for page in sorted(API_DOCS.glob("*.md")):
        text = page.read_text()
        for match in _BLOCK.finditer(text):
            if match[1] in kinds:
                line = text[: match.start()].count("\n") + 1
                example = Example(match[1], match[2] or "", match[3].splitlines())
                found.append(pytest.param(example, id=f"{page.name}:{line}"))
    return found


def _matches(expected: str, actual: str) -> bool:
    """Compare a line, where `…` stands for any text."""
    pattern = ".*".join(map(re.escape, expected.split("…")))
    return re.fullmatch(pattern, actual) is not None


@pytest.mark.parametrize("example", _examples("console"))
def test_a_command_of_the_docs_prints_what_the_docs_say(example: Example, realm: ProductRealm) -> None:
    env = os.environ | {"REALM": realm.realm, "KEY": realm.key, "URL": _url_of(realm), "SITE": realm.site}
    commands = [line.removeprefix("$ ") for line in example.lines if line.startswith("$ ")]
    expected = [line for line in example.lines if not line.startswith("$ ")]

    printed = []
    for command in commands:
        command = command.replace("curl ", "curl -sS ")
        run = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, timeout=DEADLINE_S)
        assert run.returncode == 0, run.stderr
        printed += run.stdout.splitlines()

    assert len(printed) == len(expected), printed
    for line, wanted in zip(printed, expected, strict=True):
        assert _matches(wanted, line), f"{line!r} is not {wanted!r}"


@pytest.mark.parametrize("example", _examples("transcript"))
def test_a_transcript_of_the_docs_happens_as_written(example: Example, realm: ProductRealm) -> None:
    transport, query = example.info.split(" ", 1)
    assert any(line.startswith("< ") for line in example.lines), "where nothing comes, nothing is shown"
    if transport == "ws":
        _play_websocket(example, realm, query)
    elif transport == "poll":
        _play_poll(example, realm, query)
    else:
        _play_stream(example, realm, transport, query)


def _url_of(realm: ProductRealm) -> str:
    parts = urlsplit(realm.api)
    return f"{parts.scheme}://{parts.netloc}"


def _publish(realm: ProductRealm, item: str) -> None:
    answer = httpx.post(
        f"{realm.api}/publish/",
        content=f'{{"items":[{item}]}}',
        auth=realm.auth,
        timeout=DEADLINE_S,
    )
    assert answer.status_code == 200, answer.text


def _play_websocket(example: Example, realm: ProductRealm, query: str) -> None:
    site = realm.site.replace("http", "ws", 1)
    with connect(f"{site}/fanout/ws{query}", open_timeout=DEADLINE_S) as websocket:
        for line in example.lines:
            match line[:2]:
                case "< ":
                    received = websocket.recv(timeout=DEADLINE_S)
                    if "keep-alive" in str(received):  # may come at any time
                        received = websocket.recv(timeout=DEADLINE_S)
                    assert _matches(line[2:], str(received)), received
                case "> ":
                    websocket.send(line[2:])
                case "* ":
                    _publish(realm, line[2:])


def _play_stream(example: Example, realm: ProductRealm, transport: str, query: str) -> None:
    with httpx.stream("GET", f"{realm.site}/fanout/{transport}{query}", timeout=DEADLINE_S) as response:
        assert response.status_code == 200
        received = _without_keep_alives(response.iter_lines(), is_raw="raw" in query)
        for line in example.lines:
            if line.startswith("<"):
                got = next(received)
                assert _matches(line[2:], got), f"{got!r} is not {line[2:]!r}"
            elif line.startswith("* "):
                _publish(realm, line[2:])


def _without_keep_alives(lines: Iterator[str], *, is_raw: bool) -> Iterator[str]:
    """Pass over what may come at any time: a message, an event of three lines, or an empty line."""
    for line in lines:
        if line == "event: keep-alive":
            next(lines)
            next(lines)
        elif '"keep-alive"' not in line and not (is_raw and not line):
            yield line


def _play_poll(example: Example, realm: ProductRealm, query: str) -> None:
    """Ask for a cursor first, so that what is published before the poll is held is not missed."""
    start = httpx.get(f"{realm.site}/fanout/poll{query}&timeout=0", timeout=DEADLINE_S).json()["cursor"]
    for line in example.lines:
        if line.startswith("* "):
            _publish(realm, line[2:])
        elif line.startswith("< "):
            answer = httpx.get(f"{realm.site}/fanout/poll{query}&since={start}", timeout=DEADLINE_S)
            assert _matches(line[2:], answer.text.rstrip("\n")), answer.text

"""fanout.js as a site serves it."""

import gzip
import re
from typing import Any

import pytest

from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.edge.site.client_library import APART, MODULES, SOURCE, ClientLibrary
from tests.edge.worlds import REALM

#: What the issue allows, gzipped.
MOST_BYTES = 8192


async def _ask(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    scope = {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}
    await ClientLibrary().serve(path, RealmSnapshot(REALM, (), Retention()), scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, sent[1]["body"]


async def test_the_library_is_served_small_and_may_be_used_by_any_page() -> None:
    status, headers, body = await _ask("/fanout/fanout.js", accept_encoding="gzip, br")

    assert status == 200
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "accept-encoding"
    assert b"export{Fanout,FanoutError}" in gzip.decompress(body)
    assert "sandbox" not in headers.get("content-security-policy", "")
    assert len(body) <= MOST_BYTES


async def test_who_takes_no_gzip_gets_it_plain() -> None:
    _, headers, body = await _ask("/fanout/fanout.js")

    assert "content-encoding" not in headers
    assert len(gzip.compress(body, 6)) <= MOST_BYTES


async def test_who_has_it_is_told_so() -> None:
    _, headers, _ = await _ask("/fanout/fanout.js")
    status, again, body = await _ask("/fanout/fanout.js", if_none_match=headers["etag"])

    assert (status, body, again["etag"]) == (304, b"", headers["etag"])


@pytest.mark.parametrize("path", ClientLibrary.PATHS)
async def test_each_file_is_there(path: str) -> None:
    status, headers, body = await _ask(path)

    assert status == 200
    assert len(body) > 1000
    assert headers["cache-control"].startswith("public, max-age=")


def test_every_module_is_in_it_once_and_after_those_that_it_imports() -> None:
    assert sorted(MODULES + APART) == sorted(path.stem for path in SOURCE.glob("*.js"))
    for place, name in enumerate(MODULES):
        imported = re.findall(r'from "\./(\w+)\.js"', (SOURCE / f"{name}.js").read_text())
        assert set(imported) <= set(MODULES[:place]), name


def test_names_at_the_top_of_modules_are_unique() -> None:
    names = [
        name
        for module in MODULES
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:class|function|const) (\w+)",
            (SOURCE / f"{module}.js").read_text(),
            re.MULTILINE,
        )
    ]

    assert sorted(names) == sorted(set(names))

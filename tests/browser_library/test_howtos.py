"""The pages of docs/howto about pages, run in Chromium: what they say is printed is printed."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.browser_library.conftest import make_token
from tests.browser_library.pages import Reader, open_reader
from tests.servers.product import ProductRealm

DOCS = Path(__file__).resolve().parents[2] / "docs"
HOWTOS = [*sorted((DOCS / "howto").glob("*-in-a-page.md")), DOCS / "howto" / "move-from-pollymer.md"]
_BLOCK = re.compile(r"^```(js|sh|prints)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^import \{ Fanout \} from (.*);$", re.MULTILINE)
#: Clients of the page are known to the test, which publishes once all are connected.
_WATCHED = """import {{ Fanout as Plain }} from {0};
class Fanout extends Plain {{
  constructor(...options) {{
    super(...options);
    (window.fanouts ??= []).push(this);
  }}
}}"""
_ALL_CONNECTED = "window.fanouts?.length && fanouts.every(({ state }) => state === 'connected')"
_TOKEN_FOR = {"secret.*": ["*"], "chat.*": ["*"]}


def _blocks(page: Path) -> list[tuple[str, str]]:
    return _BLOCK.findall(page.read_text())


@pytest.fixture
def page_reader(chromium: Browser, realm: ProductRealm, _customers_page: str):
    with open_reader(chromium, _customers_page, realm.site) as reader:
        yield reader


def _run_commands(commands: list[str], realm: ProductRealm) -> None:
    parts = urlsplit(realm.api)
    env = os.environ | {
        "REALM": realm.realm,
        "KEY": realm.key,
        "API": realm.api,
        "URL": f"{parts.scheme}://{parts.netloc}",
    }
    for command in commands:
        command = command.replace("curl ", "curl -sS --fail-with-body ")
        subprocess.run(["bash", "-c", command], env=env, check=True, capture_output=True, timeout=20)


@pytest.mark.parametrize("page", HOWTOS, ids=lambda page: page.stem)
def test_what_a_howto_says_is_printed_is_printed(page: Path, page_reader: Reader, realm: ProductRealm):
    blocks = _blocks(page)
    first_script = next(place for place, (kind, _) in enumerate(blocks) if kind == "js")
    scripts = "\n".join(text for kind, text in blocks if kind == "js")
    imports = {}  # said once, however often a howto says it
    for line in re.findall(r"^import .*$", scripts, re.MULTILINE):
        imports[line.split(" // ")[0]] = None
    body = re.sub(r"^import .*$", "", scripts, flags=re.MULTILINE)
    module = _IMPORT.sub(lambda match: _WATCHED.format(match[1]), "\n".join(imports)) + "\n" + body
    expected = Counter(line for kind, text in blocks if kind == "prints" for line in text.splitlines())
    printed: Counter[str] = Counter()
    page_reader.page.on("console", lambda message: printed.update([message.text]))
    page_reader.page.route("**/token", lambda route: route.fulfill(body=make_token(realm, channels=_TOKEN_FOR)))

    _run_commands([text for kind, text in blocks[:first_script] if kind == "sh"], realm)
    page_reader.page.add_script_tag(type="module", content=module.replace("https://YOUR_SITE", realm.site))
    page_reader.wait_for(_ALL_CONNECTED)
    page_reader.pause(500)
    _run_commands([text for kind, text in blocks[first_script:] if kind == "sh"], realm)
    for _ in range(100):
        if expected <= printed:
            break
        page_reader.pause(50)

    assert expected
    assert dict(expected - printed) == {}, printed
    page_reader.get("fanouts.forEach((one) => one.close())")
